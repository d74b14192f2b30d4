package daemon_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/bucket"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

var web = lb.Address{Kind: lb.KindPool, Name: "web"}

// copying is config with a copy of the checkpoints in a directory, which is written
// when the runtime starts and when it stops.
func copying(dataDir, outside string) daemon.Config {
	c := config(dataDir, -1)
	c.CheckpointCopies = []daemon.CheckpointCopy{{Name: "offsite", Every: "24h", Directory: outside}}
	return c
}

// keptOutside reads what was kept of a log's checkpoints, oldest first.
func keptOutside(t *testing.T, outside, origin string) (notes []audit.Elsewhere) {
	t.Helper()
	b, err := bucket.OpenDir(outside)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for key, err := range b.List(t.Context(), daemon.CheckpointPrefix(origin)) {
		if err != nil {
			t.Fatal(err)
		}
		text, err := b.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		notes = append(notes, audit.Elsewhere{From: key, Note: text})
	}
	return notes
}

func TestTheNewestCheckpointIsKeptOutsideWhenTheRuntimeStops(t *testing.T) {
	dataDir, outside := t.TempDir(), t.TempDir()
	d := start(t, copying(dataDir, outside))
	origin := d.Controller.Origin()
	if _, err := operator(t, d).Put(t.Context(), web, pool("10.0.0.1:80"), client.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	extent, err := d.Store.Extent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stop(t, d)
	notes := keptOutside(t, outside, origin)
	if len(notes) == 0 || string(notes[len(notes)-1].Note) != string(extent.Note) {
		t.Errorf("kept %v, want the last checkpoint: %s", notes, extent.Note)
	}
	if !strings.HasSuffix(notes[len(notes)-1].From, "/0000000000000000005") {
		t.Errorf("the newest is kept as %s, want its size in 19 digits at the end", notes[len(notes)-1].From)
	}
}

func TestACosignedCheckpointIsKeptBesideTheOther(t *testing.T) {
	dataDir, outside := t.TempDir(), t.TempDir()
	d := start(t, copying(dataDir, outside))
	origin := d.Controller.Origin()
	extent, err := d.Store.Extent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cosigned := append(bytes.Clone(extent.Note), "— witness.example/w AAAAAAAA\n"...)
	if err := d.Store.Keep(t.Context(), control.KeptCosigned, cosigned); err != nil {
		t.Fatal(err)
	}
	stop(t, d)
	notes := keptOutside(t, outside, origin)
	if len(notes) != 2 || !strings.HasSuffix(notes[1].From, "/0000000000000000001.cosigned") || !bytes.Equal(notes[1].Note, cosigned) {
		t.Errorf("kept %q", notes)
	}
}

func TestAPlaceOutsideThatIsDownHoldsUpNothing(t *testing.T) {
	hung := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		buffer := make([]byte, 1<<10)
		for err := error(nil); err == nil; {
			_, err = r.Body.Read(buffer)
		}
		<-r.Context().Done()
	}))
	defer hung.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	dataDir, outside := t.TempDir(), t.TempDir()
	c := copying(dataDir, outside)
	c.CheckpointCopies[0].Directory, c.CheckpointCopies[0].S3 = "", &daemon.S3{Endpoint: hung.URL, Bucket: "worm", PathStyle: true, Timeout: "1s"}
	d := start(t, c)
	origin := d.Controller.Origin()
	if _, err := operator(t, d).Put(t.Context(), web, pool("10.0.0.1:80"), client.IfAbsent()); err != nil {
		t.Fatalf("a change while the copy hangs: %v", err)
	}
	stop(t, d)

	d = start(t, copying(dataDir, outside))
	stop(t, d)
	if notes := keptOutside(t, outside, origin); len(notes) == 0 {
		t.Error("nothing was kept once there was a place for it")
	}
}

func TestALogThatWasForkedMeetsWhatWasKeptOfItBefore(t *testing.T) {
	dataDir, outside, backup := t.TempDir(), t.TempDir(), t.TempDir()
	d := start(t, copying(dataDir, outside))
	stop(t, d)
	if err := os.CopyFS(filepath.Join(backup, "old"), os.DirFS(dataDir)); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"log.key", "secrets.key"} {
		if err := os.Chmod(filepath.Join(backup, "old", key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// One history, kept outside, and then another from the same beginning.
	for i, dir := range []string{dataDir, filepath.Join(backup, "old")} {
		var said bytes.Buffer
		d, err := daemon.Start(t.Context(), copying(dir, outside), slog.New(slog.NewTextHandler(&said, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := operator(t, d).Put(t.Context(), web, pool([]string{"10.0.0.1:80", "10.0.0.2:80"}[i]), client.IfAbsent()); err != nil {
			t.Fatal(err)
		}
		stop(t, d)
		if loud := strings.Contains(said.String(), "CHECKPOINT CONFLICT"); loud != (i == 1) {
			t.Errorf("history %d: conflict reported = %t; the log says:\n%s", i, loud, &said)
		}
	}
}

func TestACopyThatIsConfiguredWronglyIsNamed(t *testing.T) {
	tests := map[string]struct {
		blocks []daemon.CheckpointCopy
		want   string
	}{
		"nowhere":           {[]daemon.CheckpointCopy{{Name: "offsite"}}, "say where to"},
		"two places":        {[]daemon.CheckpointCopy{{Name: "offsite", Directory: "/tmp/x", S3: &daemon.S3{Bucket: "worm"}}}, "say where to"},
		"too often":         {[]daemon.CheckpointCopy{{Name: "offsite", Every: "1ms", Directory: "/tmp/x"}}, "every"},
		"no number":         {[]daemon.CheckpointCopy{{Name: "offsite", Every: "often", Directory: "/tmp/x"}}, "every"},
		"lock without days": {[]daemon.CheckpointCopy{{Name: "offsite", S3: &daemon.S3{Bucket: "worm", ObjectLock: &daemon.ObjectLock{Mode: "COMPLIANCE"}}}}, "days"},
		"unknown lock":      {[]daemon.CheckpointCopy{{Name: "offsite", S3: &daemon.S3{Bucket: "worm", ObjectLock: &daemon.ObjectLock{Mode: "WORM", Days: 1}}}}, "mode"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := config(t.TempDir(), -1)
			c.CheckpointCopies = tt.blocks
			_, err := daemon.Start(t.Context(), c, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), `checkpoint_copy "offsite"`) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one about %s", err, tt.want)
			}
		})
	}
}
