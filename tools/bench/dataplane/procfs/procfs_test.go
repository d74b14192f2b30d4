package procfs

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"
)

func TestAProcessIsReadWhateverItsName(t *testing.T) {
	const rest = " S 1 77 77 0 -1 4194560 100 0 0 0 250 150 7 9 20 0 3 0 100 1000000 2 18446744073709551615"
	for name, text := range map[string]string{
		"plain":                 "42 (haproxy)" + rest,
		"with a space":          "42 (nginx: worker)" + rest,
		"with parentheses":      "42 (a) S 9 9 (b)" + rest,
		"that ends in a number": "42 (x) 1)" + rest,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseProcess(text)
			want := process{pid: 42, group: 77, cpu: 4 * time.Second, resident: 2 * int64(os.Getpagesize())}
			if err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

func TestWhatIsNoProcessIsAnError(t *testing.T) {
	for name, text := range map[string]string{
		"empty":             "",
		"no name":           "42 S 1 2 3",
		"too few fields":    "42 (x) S 1 77 77 0 -1 4194560 100 0 0 0 250 150",
		"a word for a time": "42 (x) S 1 77 77 0 -1 4194560 100 0 0 0 many 150 7 9 20 0 3 0 100 1000000 2",
		"a word for an id":  "me (x) S 1 77 77 0 -1 4194560 100 0 0 0 250 150 7 9 20 0 3 0 100 1000000 2",
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := parseProcess(text); err == nil {
				t.Errorf("got %+v", p)
			}
		})
	}
}

func TestOthersAreWhatIsLeftOfTheMachine(t *testing.T) {
	before, err := parseMachine("cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1 1 1\n")
	if err != nil {
		t.Fatal(err)
	}
	// 4 s of two processors: 2 s user, 1 s system, 0.5 s idle, 0.3 s softirq, 0.2 s steal.
	after, err := parseMachine("cpu  300 0 200 850 0 0 30 20 0 0\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		own  time.Duration
		want float64
	}{
		{"all of it was our own", 3200 * time.Millisecond, 0},
		{"half of a second was not", 2700 * time.Millisecond, 0.125},
		{"ticks are coarse: never below nothing", 4 * time.Second, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Others(before, after, test.own); got != test.want {
				t.Errorf("others = %v, want %v", got, test.want)
			}
		})
	}
	if got := Others(after, after, 0); got != 0 {
		t.Errorf("others = %v in no time", got)
	}
}

func TestAMachineThatCannotBeReadIsAnError(t *testing.T) {
	for _, text := range []string{"", "cpu  1 2 3\n", "intr 1 2 3 4 5 6 7 8 9\n", "cpu  1 2 x 4 5 6 7 8\n"} {
		if m, err := parseMachine(text); err == nil {
			t.Errorf("%q: got %+v", text, m)
		}
	}
}

func TestAGroupCountsEveryProcessInIt(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc on this system")
	}
	// A shell with a child: both are of the group; the child waits for its input.
	shell := exec.Command("sh", "-c", "echo ready; cat; exit")
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	// cat answers, so it runs.
	if _, err := in.Write([]byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, len("ready\nhello\n"))
	for n := 0; n < len(answer); {
		k, err := out.Read(answer[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}

	group := Group(shell.Process.Pid)
	pids, err := group.PIDs()
	if err != nil || len(pids) != 2 || !slices.Contains(pids, shell.Process.Pid) {
		t.Errorf("processes %v, %v; want the shell %d and its child", pids, err, shell.Process.Pid)
	}
	if resident, err := group.Resident(); err != nil || resident <= 0 {
		t.Errorf("resident = %d, %v", resident, err)
	}
	in.Close()
	if err := shell.Wait(); err != nil {
		t.Fatal(err)
	}
	if cpu, err := group.CPU(); err == nil {
		t.Errorf("a group that has ended used %v", cpu)
	}
}

func TestOwnTimeIncludesChildrenThatHaveEnded(t *testing.T) {
	before, err := Own()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	used := child.ProcessState.UserTime() + child.ProcessState.SystemTime()
	after, err := Own()
	if err != nil || after-before < used {
		t.Errorf("own time grew by %v, %v; the child alone used %v", after-before, err, used)
	}
}
