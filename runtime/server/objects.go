package server

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// address is the object that the call's path names.
func (c *call) address() lb.Address { return lb.Address{Kind: c.op.Kind, Name: c.PathValue("name")} }

// named checks the name in the path. A name that can't be is recorded like any
// other refusal when the call would have changed something.
func (s *server) named(c *call) (lb.Address, error) {
	address := c.address()
	if msg := lb.CheckName(address.Name); msg != "" {
		if c.Method == http.MethodGet {
			return address, api.NewProblem(api.CodeNotFound, "a "+string(c.op.Kind)+"'s name "+msg)
		}
		return address, s.refuse(c, audit.Refusal{
			Code: string(api.CodeInvalid), Detail: "the name in the path " + msg,
			Violations: []lb.Violation{{Pointer: "/name", Detail: msg}},
		})
	}
	return address, nil
}

func (s *server) putObject(c *call) (*answer, error) {
	if err := s.requireOn(c, changing(c.op.Kind), c.address()); err != nil {
		return nil, err
	}
	put := control.Put{}
	var err error
	if put.Address, err = s.named(c); err != nil {
		return nil, err
	}
	if put.Precondition, err = s.precondition(c); err != nil {
		return nil, err
	}
	if put.Object, put.PrivateKey, err = s.decodeObject(c); err != nil {
		return nil, err
	}
	who := c.control()
	outcome, err := s.Controller.Put(c.Context(), who, put)
	if err != nil {
		return nil, err
	}
	if outcome.Refusal() != nil {
		return nil, problemOf(&outcome)
	}
	status := http.StatusOK
	if outcome.Entry.Op == string(lb.OpCreate) && !outcome.Unchanged {
		status = http.StatusCreated
	}
	e := &outcome.Entry
	return &answer{status: status, etag: etag(e.Seq), body: api.Object{
		Kind: put.Address.Kind, Name: put.Address.Name, Revision: e.Seq,
		LastChange: lastChange(e.LastChange()), Object: outcome.Body.After,
	}}, nil
}

// decodeObject reads the object in the body, and a certificate's private key.
func (s *server) decodeObject(c *call) (lb.Object, string, error) {
	if c.op.Kind != lb.KindCertificate {
		obj, err := lb.Decode(c.op.Kind, c.body)
		return obj, "", s.asRefusal(c, err)
	}
	var w api.CertificateWrite
	if err := s.decode(c, &w); err != nil {
		return nil, "", err
	}
	cert := w.Certificate
	cert.Normalize()
	return &cert, w.PrivateKeyPEM.Reveal(), nil
}

func (s *server) deleteObject(c *call) (*answer, error) {
	if err := s.requireOn(c, changing(c.op.Kind), c.address()); err != nil {
		return nil, err
	}
	address, err := s.named(c)
	if err != nil {
		return nil, err
	}
	pre, err := s.precondition(c)
	if err != nil {
		return nil, err
	}
	who := c.control()
	outcome, err := s.Controller.Delete(c.Context(), who, address, pre)
	if err != nil {
		return nil, err
	}
	if outcome.Refusal() != nil {
		return nil, problemOf(&outcome)
	}
	return ok(api.Deleted{Revision: outcome.Entry.Seq})
}

// precondition reads If-Match and If-None-Match (RFC 9110 §13.1). A change has
// to say what it expects: nobody overwrites what they have not seen by mistake.
func (s *server) precondition(c *call) (control.Precondition, error) {
	match, none := c.Header.Get(api.HeaderIfMatch), c.Header.Get(api.HeaderIfNoneMatch)
	switch {
	case match == "" && none == "":
		return control.Precondition{}, s.refuse(c, audit.Refusal{
			Code:   string(api.CodePreconditionNeeded),
			Detail: `say what you expect to change: If-None-Match: * to create, If-Match: "<revision>" to change what you have seen, If-Match: * to change whatever is there`,
		})
	case none == "*" && match == "" && c.Method == http.MethodPut:
		return control.Precondition{Absent: true}, nil
	case match == "*" && none == "":
		return control.Precondition{Exists: true}, nil
	case none == "":
		if revision, err := strconv.ParseInt(strings.Trim(match, `"`), 10, 64); err == nil && revision > 0 && etag(revision) == match {
			return control.Precondition{Revision: revision}, nil
		}
	}
	return control.Precondition{}, s.refuse(c, audit.Refusal{
		Code:   string(api.CodeMalformed),
		Detail: `the precondition must be one of If-None-Match: *, If-Match: * and If-Match: "<revision>"`,
	})
}

func (s *server) getObject(c *call) (*answer, error) {
	address, err := s.named(c)
	if err != nil {
		return nil, err
	}
	o := s.Controller.Config().Get(address)
	if o == nil {
		return nil, api.NewProblem(api.CodeNotFound, address.String()+" does not exist")
	}
	return &answer{status: http.StatusOK, etag: etag(o.Last.Revision), body: objectOf(o)}, nil
}

func objectOf(o *control.Object) api.Object {
	return api.Object{Kind: o.Address.Kind, Name: o.Address.Name, Revision: o.Last.Revision, LastChange: lastChange(o.Last), Object: o.Encoded}
}

func (s *server) listObjects(c *call) (*answer, error) {
	limit, cursor, err := c.page()
	if err != nil {
		return nil, err
	}
	objects, _ := s.Controller.Config().List(c.op.Kind)
	list := api.ObjectList{Items: []api.Object{}}
	size := 0
	for _, o := range objects {
		if o.Address.Name <= cursor {
			continue
		}
		if len(list.Items) == limit || size >= maxPageBytes {
			list.Next = list.Items[len(list.Items)-1].Name
			break
		}
		size += len(o.Encoded)
		list.Items = append(list.Items, objectOf(o))
	}
	return ok(list)
}

func (s *server) objectHistory(c *call) (*answer, error) {
	address, err := s.named(c)
	if err != nil {
		return nil, err
	}
	return s.entries(c, control.Query{Resource: address.String()}, nil)
}
