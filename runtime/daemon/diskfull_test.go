//go:build linux

package daemon_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	diskSize = 32 << 20
	// floor is the free space kept in the test of the floor.
	floor = 4 << 20
	// fullAnswers is how many changes in a row must be refused as log_full
	// before the disk counts as full: SQLite may have room of its own left.
	fullAnswers = 20
)

// TestAFullDiskStopsChangesAndNotTraffic fills the disk while changes and
// traffic go on, once up to the floor and once to the last byte, and makes room
// again.
func TestAFullDiskStopsChangesAndNotTraffic(t *testing.T) {
	for _, tt := range []struct {
		name    string
		minFree int64
	}{{"free space at the floor", floor}, {"no space left", -1}} {
		t.Run(tt.name, func(t *testing.T) {
			disk := mount(t)
			c := config(filepath.Join(disk, "data"), tt.minFree)
			d := start(t, c)
			stopped := false
			t.Cleanup(func() {
				if !stopped {
					stop(t, d)
				}
			})
			olivia := operator(t, d)
			traffic := serveTraffic(t, olivia)
			change := changer(t, olivia)

			for range 50 {
				if err := change(); err != nil {
					t.Fatalf("before the disk was full: %v", err)
				}
			}
			ballast := fill(t, disk, tt.minFree)
			for full, tries := 0, 0; full < fullAnswers; tries++ {
				err := change()
				var problem *api.Problem
				switch {
				case err == nil:
					if full > 0 || tt.minFree > 0 || tries > 20_000 {
						t.Fatalf("change %d on a full disk was accepted after %d were refused", tries, full)
					}
				case errors.As(err, &problem) && problem.Code == api.CodeLogFull && problem.Status == http.StatusInsufficientStorage:
					full++
				default:
					t.Fatalf("change %d on a full disk, after %d were refused: %v; want 507 log_full", tries, full, err)
				}
			}
			revision := d.Controller.Config().Revision()
			if _, err := olivia.Get(t.Context(), lb.Address{Kind: lb.KindPool, Name: "changing"}); err != nil {
				t.Errorf("reading on a full disk: %v", err)
			}
			if list, err := olivia.Entries(t.Context(), api.EntryQuery{Limit: 10}); err != nil || len(list.Items) != 10 {
				t.Errorf("history on a full disk: %v", err)
			}
			traffic.more(t, 200)

			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			for i := range 50 {
				if err := change(); err != nil {
					t.Fatalf("change %d after space returned: %v", i, err)
				}
			}
			if got := d.Controller.Config().Revision(); got != revision+50 {
				t.Errorf("revision %d after 50 changes from %d: refused changes left something", got, revision)
			}
			traffic.end(t)
			verified(t, d, c.DataDir)
			stop(t, d)
			stopped = true
			controller, done, err := daemon.OpenLog(t.Context(), c)
			if err != nil {
				t.Fatalf("after the full disk: %v", err)
			}
			if got := controller.Config().Revision(); got != revision+50 {
				t.Errorf("revision %d after a restart; want %d", got, revision+50)
			}
			if err := done(); err != nil {
				t.Error(err)
			}
		})
	}
}

// mount mounts a small disk in memory for the length of the test.
func mount(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskSize)); err != nil {
		t.Skipf("mounting a tmpfs to fill is not permitted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// fill leaves less free space than the floor, or none at all.
func fill(t *testing.T, disk string, minFree int64) (ballast string) {
	t.Helper()
	f, err := os.Create(filepath.Join(disk, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(disk, &fs); err != nil {
			t.Fatal(err)
		}
		if free := int64(fs.Bavail) * fs.Bsize; minFree > 0 && free < minFree {
			break
		}
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return f.Name()
}

// changer returns a function that changes a pool, each time otherwise.
func changer(t *testing.T, c *client.Client) func() error {
	at := lb.Address{Kind: lb.KindPool, Name: "changing"}
	n := 0
	put := func(pre client.Precondition) error {
		n++
		p := pool("127.0.0.1:9")
		p.Labels = map[string]string{"n": fmt.Sprint(n)}
		_, err := c.Put(t.Context(), at, p, pre)
		return err
	}
	if err := put(client.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	return func() error { return put(client.IfPresent()) }
}
