package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
)

// pastLess is a store that has no body of some entries any more.
type pastLess struct {
	control.Store
	gone map[int64]bool
}

func (s *pastLess) without(rows []audit.Row) []audit.Row {
	for i := range rows {
		if s.gone[rows[i].Seq] {
			rows[i].Salt, rows[i].Body = nil, nil
		}
	}
	return rows
}

// Changes implements history.Log.
func (s *pastLess) Changes(ctx context.Context, resource string, through int64, limit int) ([]audit.Row, error) {
	rows, err := s.Store.Changes(ctx, resource, through, limit)
	return s.without(rows), err
}

// ChangesAt implements history.Log.
func (s *pastLess) ChangesAt(ctx context.Context, since, through int64, after string, limit int) ([]audit.Row, error) {
	rows, err := s.Store.ChangesAt(ctx, since, through, after, limit)
	return s.without(rows), err
}

// shelf finds the bodies of some entries in an archive, and says that the others are erased.
type shelf struct {
	log  control.Store
	kept map[int64]bool
}

// Erased implements server.Bodies.
func (s shelf) Erased(ctx context.Context, row *audit.Row) server.ErasedBody {
	if !s.kept[row.Seq] {
		return server.ErasedBody{By: 99, State: api.BodyErased}
	}
	whole, err := s.log.Entry(ctx, row.Seq)
	if err != nil {
		return server.ErasedBody{State: api.BodyUnavailable}
	}
	return server.ErasedBody{By: 99, State: api.BodyArchived, Salt: whole.Salt, Body: whole.Body}
}

// TestARollbackFindsArchivedBodiesAndNamesErasedOnes and does the rest of neither.
func TestARollbackFindsArchivedBodiesAndNamesErasedOnes(t *testing.T) {
	store := &pastLess{openStore(t, t.TempDir()), map[int64]bool{}}
	kept := shelf{store.Store, map[int64]bool{}}
	r := startOver(t, control.Options{Store: store}, server.Options{Bodies: kept})
	archived := r.create(t, "pool/archived", pool("10.0.0.1:80"))
	erased := r.create(t, "pool/erased", pool("10.0.0.1:80"))
	for _, name := range []string{"archived", "erased"} {
		r.must(t, nil, http.MethodPut, "/v1/pools/"+name, pool("10.0.0.2:80"), updating)
	}
	store.gone[archived], store.gone[erased], kept.kept[archived] = true, true, true
	req := api.RollbackRequest{Everything: true, To: fmt.Sprint(erased)}
	preview := r.rollback(t, dry(req))
	if len(preview.Effects) != 1 || preview.Effects[0].Address != "pool/archived" || len(preview.Impossible) != 1 || preview.Impossible[0].Address != "pool/erased" || preview.Impossible[0].Code != api.CodeRollbackImpossible {
		t.Fatalf("preview: %+v", preview)
	}
	if detail := preview.Impossible[0].Detail; !strings.Contains(detail, fmt.Sprintf("entry %d, whose body was erased by policy in entry 99", erased)) {
		t.Errorf("%q", detail)
	}
	state := r.state(t)
	if a := r.do(t, http.MethodPost, rollbacks, req); a.problem.Code != api.CodeRollbackImpossible || r.newest(t).Resource != "pool/erased" || r.state(t) != state {
		t.Errorf("%s", a)
	}
	if made := r.rollback(t, api.RollbackRequest{Resource: "pool/archived"}); made.Effects[0].To != archived {
		t.Errorf("made: %+v", made)
	}
}

// slowPast is a store that lets the first readers of the past wait.
type slowPast struct {
	control.Store
	left    atomic.Int64
	waiting chan struct{}
	release chan struct{}
}

// Changes implements history.Log.
func (s *slowPast) Changes(ctx context.Context, resource string, through int64, limit int) ([]audit.Row, error) {
	if s.left.Add(-1) >= 0 {
		s.waiting <- struct{}{}
		<-s.release
	}
	return s.Store.Changes(ctx, resource, through, limit)
}

// TestWhoOnlyLooksHoldsUpNoRollback however many previews there are.
func TestWhoOnlyLooksHoldsUpNoRollback(t *testing.T) {
	store := &slowPast{Store: openStore(t, t.TempDir()), waiting: make(chan struct{}), release: make(chan struct{})}
	r := startOver(t, control.Options{Store: store}, server.Options{})
	before := r.create(t, "pool/web", pool("10.0.0.1:80"))
	r.must(t, nil, http.MethodPut, "/v1/pools/web", pool("10.0.0.2:80"), updating)
	req := api.RollbackRequest{Resource: "pool/web"}
	store.left.Store(server.MaxUndoing)
	var looking sync.WaitGroup
	for range server.MaxUndoing {
		looking.Go(func() {
			if a := r.do(t, http.MethodPost, rollbacks, dry(req), as(identity.Viewer)); a.status != http.StatusOK {
				t.Errorf("preview: %s", a)
			}
		})
		<-store.waiting
	}
	made := r.do(t, http.MethodPost, rollbacks, req)
	close(store.release)
	looking.Wait()
	if made.status != http.StatusOK || r.newest(t).Rollback.To != before {
		t.Errorf("made: %s", made)
	}
}
