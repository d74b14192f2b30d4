package server

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

func (s *server) getLog(c *call) (*answer, error) {
	head, err := s.Controller.Head(c.Context())
	if err != nil {
		return nil, err
	}
	out := api.Log{
		Origin: head.Origin, PublicKey: s.Controller.PublicKey(),
		Size: head.Size, Root: head.Root.String(), Checkpoint: string(head.Note),
	}
	cosigned, err := s.Controller.Cosigned(c.Context())
	if err != nil {
		return nil, err
	}
	if cosigned != nil {
		out.Cosigned = string(cosigned.Note)
	}
	if s.Witnesses != nil {
		out.Witnesses, out.WitnessAlarm = s.Witnesses()
	}
	rotations, err := s.Controller.Rotations(c.Context())
	if err != nil {
		return nil, err
	}
	for i := range rotations {
		text, err := rotations[i].Marshal()
		if err != nil {
			return nil, err
		}
		out.Rotations = append(out.Rotations, string(text))
	}
	restarts, err := s.Controller.Restarts(c.Context())
	if err != nil {
		return nil, err
	}
	for i := range restarts {
		out.Restarts = append(out.Restarts, logRestart(&restarts[i]))
	}
	return ok(out)
}

func logRestart(r *control.LogRestart) api.LogRestart {
	return api.LogRestart{
		Seq: r.Entry.Seq, Time: r.Entry.Time, Actor: r.Entry.Actor.Name,
		Origin: r.Key.Origin, PublicKey: r.Key.PublicKey,
		PreviousOrigin: r.Key.PreviousOrigin, PreviousCheckpoint: r.Key.PreviousCheckpoint,
		LostCheckpoint: r.Key.LostCheckpoint, Reason: r.Key.Reason,
	}
}

// proveEntry answers a proof that stands by itself.
func (s *server) proveEntry(c *call) (*answer, error) {
	seq, err := c.seq()
	if err != nil {
		return nil, err
	}
	proof, err := s.Controller.Prove(c.Context(), seq)
	if errors.Is(err, control.ErrNoEntry) {
		return nil, noEntry(seq)
	}
	if err != nil {
		return nil, err
	}
	text, err := proof.Marshal()
	if err != nil {
		return nil, err
	}
	header := http.Header{"Content-Disposition": {fmt.Sprintf(`attachment; filename="entry-%d.tlog-proof"`, seq)}}
	return &answer{status: http.StatusOK, raw: text, header: header}, nil
}

// seq is the entry that the path names.
func (c *call) seq() (int64, error) {
	seq, err := strconv.ParseInt(c.PathValue("seq"), 10, 64)
	if err != nil || seq < 0 {
		return 0, api.NewProblem(api.CodeNotFound, "an entry's seq is a number from 0")
	}
	return seq, nil
}

func noEntry(seq int64) error {
	return api.NewProblem(api.CodeNotFound, fmt.Sprintf("there is no entry %d", seq))
}

// evidence is an entry byte for byte.
func evidence(row *audit.Row) *api.EntryEvidence {
	return &api.EntryEvidence{Leaf: string(row.Leaf), Salt: hex.EncodeToString(row.Salt), Body: string(row.Body)}
}
