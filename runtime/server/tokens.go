package server

import (
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

func (s *server) createToken(c *call) (*answer, error) {
	if err := s.require(c, identity.ManageTokens); err != nil {
		return nil, err
	}
	var req api.TokenRequest
	if err := s.decode(c, &req); err != nil {
		return nil, err
	}
	who := c.control()
	// The secret can be answered only once, so there is no answer to repeat.
	who.Key = ""
	outcome, secret, err := s.Controller.CreateToken(c.Context(), who, req.Actor, identity.Role(req.Role), req.NotAfter)
	if err != nil {
		return nil, err
	}
	if outcome.Refusal() != nil {
		return nil, problemOf(&outcome)
	}
	token, err := tokenOf(&outcome)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusCreated, body: api.TokenCreated{Token: token, Secret: secret}}, nil
}

func (s *server) listTokens(c *call) (*answer, error) {
	if err := s.require(c, identity.ManageTokens); err != nil {
		return nil, err
	}
	list := api.TokenList{Items: []api.Token{}}
	for _, t := range s.Controller.Tokens() {
		list.Items = append(list.Items, wireToken(t))
	}
	return ok(list)
}

func (s *server) revokeToken(c *call) (*answer, error) {
	if err := s.require(c, identity.ManageTokens); err != nil {
		return nil, err
	}
	who := c.control()
	outcome, err := s.Controller.RevokeToken(c.Context(), who, c.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if outcome.Refusal() != nil {
		return nil, problemOf(&outcome)
	}
	token, err := tokenOf(&outcome)
	if err != nil {
		return nil, err
	}
	return ok(token)
}

func (s *server) whoami(c *call) (*answer, error) {
	return ok(api.Actor{Name: c.actor.Name, Credential: c.actor.Credential, Role: string(c.actor.Role)})
}

func tokenOf(o *control.Outcome) (api.Token, error) {
	var t identity.Token
	err := unmarshalState(o, &t)
	return wireToken(t), err
}

func wireToken(t identity.Token) api.Token {
	return api.Token{
		ID: t.ID, Actor: t.Actor, Role: string(t.Role), CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt,
		NotAfter: t.NotAfter, Revoked: t.Revoked,
	}
}

func unmarshalState(o *control.Outcome, v any) error {
	if err := json.Unmarshal(o.Body.After, v); err != nil {
		return fmt.Errorf("state in entry %d: %w", o.Entry.Seq, err)
	}
	return nil
}
