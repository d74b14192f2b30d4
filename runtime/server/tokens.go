package server

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func (s *server) createToken(c *call) (*answer, error) {
	if err := s.require(c, identity.ManageTokens); err != nil {
		return nil, err
	}
	var req api.TokenRequest
	if err := s.decode(c, &req); err != nil {
		return nil, err
	}
	if err := s.coversToken(c, req.Scopes); err != nil {
		return nil, err
	}
	who := c.control()
	// The secret can be answered only once, so there is no answer to repeat.
	who.Key = ""
	outcome, secret, err := s.Controller.CreateToken(c.Context(), who, control.TokenRequest{
		Actor: req.Actor, Role: identity.Role(req.Role), Scopes: req.Scopes, NotAfter: req.NotAfter,
	})
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

// coversToken refuses a token that is good for more than the caller's own
// credential: scopes would be worth nothing otherwise.
func (s *server) coversToken(c *call, scopes []string) error {
	if len(c.actor.Scopes) == 0 {
		return nil
	}
	if len(scopes) == 0 {
		scopes = []string{lb.GlobEverything}
	}
	for _, glob := range scopes {
		if !c.actor.Covers(glob) {
			return s.refuse(c, audit.Refusal{Code: string(api.CodeScope), Detail: fmt.Sprintf(
				"%s may act on %s only, and can't make a token for %s", c.actor.Name, strings.Join(c.actor.Scopes, ", "), bounded(glob, 128))})
		}
	}
	return nil
}

func (s *server) listTokens(c *call) (*answer, error) {
	if err := s.require(c, identity.ManageTokens); err != nil {
		return nil, err
	}
	held, err := s.Controller.Tokens(c.Context())
	if err != nil {
		return nil, err
	}
	list := api.TokenList{Items: []api.Token{}}
	for _, t := range held {
		token := wireToken(t.Token)
		token.LastUsed = t.LastUsed
		list.Items = append(list.Items, token)
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

func tokenOf(o *control.Outcome) (api.Token, error) {
	var t identity.Token
	err := unmarshalState(o, &t)
	return wireToken(t), err
}

func wireToken(t identity.Token) api.Token {
	return api.Token{
		ID: t.ID, Actor: t.Actor, Role: string(t.Role), Scopes: t.Scopes, CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt,
		NotAfter: t.NotAfter, Revoked: t.Revoked,
	}
}

func unmarshalState(o *control.Outcome, v any) error {
	if err := json.Unmarshal(o.Body.After, v); err != nil {
		return fmt.Errorf("state in entry %d: %w", o.Entry.Seq, err)
	}
	return nil
}
