package tcp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// pair returns the two ends of a real connection.
func pair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialed, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{dialed, accepted} {
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second)) // no test hangs
	}
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

// start relays between a client and a member whose far ends it returns.
func start(t *testing.T, idle time.Duration) (client, member *net.TCPConn, done <-chan error) {
	client, clientSide := pair(t)
	member, memberSide := pair(t)
	result := make(chan error, 1)
	go func() { result <- Relay(clientSide, memberSide, idle) }()
	return client, member, result
}

func wait(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the relay did not end")
		return nil
	}
}

func TestHalfCloseIsKept(t *testing.T) {
	client, member, done := start(t, 10*time.Second)
	question := bytes.Repeat([]byte("question"), 100_000)
	go func() {
		client.Write(question)
		client.CloseWrite()
	}()
	got, err := io.ReadAll(member)
	if err != nil || !bytes.Equal(got, question) {
		t.Fatalf("the member got %d bytes, %v; want all %d and the end", len(got), err, len(question))
	}
	// The client has ended its half; the answer must still arrive.
	if _, err := member.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	member.CloseWrite()
	if got, err := io.ReadAll(client); err != nil || string(got) != "answer" {
		t.Fatalf("the client got %q, %v", got, err)
	}
	if err := wait(t, done); err != nil {
		t.Errorf("both sides ended in order, yet the relay failed: %v", err)
	}
}

func TestSilenceOnBothSidesEndsTheRelay(t *testing.T) {
	client, _, done := start(t, 50*time.Millisecond)
	if err := wait(t, done); !errors.Is(err, ErrIdle) {
		t.Errorf("the relay ended with %v, want %v", err, ErrIdle)
	}
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("the client's connection is still open")
	}
}

func TestOneTalkingSideKeepsTheOtherOpen(t *testing.T) {
	client, member, done := start(t, 300*time.Millisecond)
	go io.Copy(io.Discard, client)
	// The client is silent for four times the idle timeout.
	for range 12 {
		select {
		case err := <-done:
			t.Fatalf("the relay ended while the member was sending: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
		if _, err := member.Write([]byte("tick")); err != nil {
			t.Fatal(err)
		}
	}
	member.Close()
	client.CloseWrite()
	wait(t, done)
}

func TestAResetOfOneSideClosesTheOther(t *testing.T) {
	client, member, done := start(t, 10*time.Second)
	member.SetLinger(0)
	member.Close()
	if err := wait(t, done); err == nil {
		t.Error("a reset was taken for an orderly end")
	}
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("the client's connection is still open")
	}
}

func TestAReceiverThatTakesNothingIsCutOff(t *testing.T) {
	client, _, done := start(t, 200*time.Millisecond)
	go func() {
		chunk := make([]byte, 1<<20)
		for {
			if _, err := client.Write(chunk); err != nil {
				return
			}
		}
	}()
	if err := wait(t, done); !errors.Is(err, ErrIdle) {
		t.Errorf("the relay ended with %v, want %v", err, ErrIdle)
	}
}
