package traffic_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
)

// request makes a request that no route is for.
func request(t *testing.T, address string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// counted waits until a listener's requests are: just after their responses are sent.
func counted(t *testing.T, e *dataplane.Engine, n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); e.Traffic().Listeners["web"].Pools[""].Requests[3] != uint64(n); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not counted: %+v", e.Traffic().Listeners["web"])
		}
	}
}
