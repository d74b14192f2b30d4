package daemon

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/console"
)

// withConsole serves the web pages beside the API that they call.
func withConsole(api http.Handler, logger *slog.Logger) http.Handler {
	pages := console.New(console.Options{API: api, Logger: logger})
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
