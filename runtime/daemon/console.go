package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/console"
)

// withConsole serves the web pages beside the API that they call.
func withConsole(api http.Handler, providers []console.Provider, logger *slog.Logger) http.Handler {
	pages := console.New(console.Options{API: api, Providers: providers, Logger: logger})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, console.Root):
			pages.ServeHTTP(w, r)
		case (path == "/" || path+"/" == console.Root) && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			http.Redirect(w, r, console.Root, http.StatusSeeOther)
		default:
			api.ServeHTTP(w, r)
		}
	})
}

// consoleProviders are the identity providers that people can sign in at.
func (c *Config) consoleProviders() ([]console.Provider, error) {
	var out []console.Provider
	var errs []error
	for i := range c.OIDC {
		if c.OIDC[i].Console == nil {
			continue
		}
		p, err := c.OIDC[i].consoleProvider()
		if err != nil {
			errs = append(errs, fmt.Errorf("configuration: oidc %q: console: %w", c.OIDC[i].Name, err))
		}
		out = append(out, p)
	}
	return out, errors.Join(errs...)
}

func (o *OIDC) consoleProvider() (console.Provider, error) {
	p := console.Provider{Name: o.Name, Issuer: o.Issuer, ClientID: o.Console.ClientID, RedirectURL: o.Console.RedirectURL}
	if o.Issuer == "" {
		return p, errors.New("needs the issuer: people sign in at it")
	}
	if !slices.Contains(o.Audiences, p.ClientID) {
		return p, fmt.Errorf("client_id: %q must be one of the audiences: ID tokens are made for it", p.ClientID)
	}
	if u, err := url.Parse(p.RedirectURL); p.RedirectURL != "" && (err != nil || u.Host == "" || u.Path != console.CallbackPath) {
		return p, fmt.Errorf("redirect_url: %q must be a URL that ends with %s", p.RedirectURL, console.CallbackPath)
	}
	for file, into := range map[string]func([]byte){
		o.CAFile:                   func(b []byte) { p.CAPEM = b },
		o.Console.ClientSecretFile: func(b []byte) { p.ClientSecret = api.Secret(strings.TrimSpace(string(b))) },
	} {
		if file == "" {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return p, fmt.Errorf("client_secret_file or ca_file: %w", err)
		}
		into(content)
	}
	return p, nil
}
