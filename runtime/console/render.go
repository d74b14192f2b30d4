package console

import (
	"bytes"
	"html/template"
	"mime"
	"net/http"
	"slices"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// frame is what templates are given.
type frame struct {
	Title   string
	Nav     []navItem
	Scripts []string
	// Who is signed in; nil for a stranger.
	Who *api.Identity
	// CSRF is the token of every form.
	CSRF   string
	Notice *notice
	// Path is where the page is, with its query.
	Path string
	// Data is what the page shows.
	Data any

	assets *assets
}

type navItem struct {
	Label, URL string
	Current    bool
}

// Asset is the path of a file of static/.
func (f *frame) Asset(name string) string { return f.assets.path(name) }

// render writes a page.
func (c *console) render(v *visit, p page, shown view) {
	f := frame{
		Title: shown.title, Scripts: shown.scripts, Data: shown.data, Path: v.URL.RequestURI(), assets: &c.assets,
	}
	if shown.redirect != "" {
		http.Redirect(v.w, v.Request, shown.redirect, http.StatusSeeOther)
		return
	}
	if d := shown.download; d != nil {
		v.w.Header().Set("Content-Type", d.contentType)
		v.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": d.name}))
		_, _ = v.w.Write(d.content)
		return
	}
	if v.session != nil {
		f.Who = &v.session.who
		for _, other := range c.pages {
			if other.nav != "" {
				f.Nav = append(f.Nav, navItem{other.nav, root + other.path, other.name == p.name || other.name == p.under})
			}
		}
	}
	if v.cookie != "" {
		f.CSRF = c.forms.token(v.cookie)
	}
	name := shown.fragment
	if name == "" {
		name = "layout"
		f.Notice = c.forms.take(v.w, v.Request, v.cookie)
	}
	var out bytes.Buffer
	if err := c.templates[p.name].ExecuteTemplate(&out, name, &f); err != nil {
		c.Logger.Error("page not rendered", "page", p.name, "request_id", v.id, "error", err)
		http.Error(v.w, "this page can't be shown; its operator finds the cause in the log under request "+v.id, http.StatusInternalServerError)
		return
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if shown.status == 0 {
		shown.status = http.StatusOK
	}
	v.w.WriteHeader(shown.status)
	_, _ = v.w.Write(out.Bytes())
}

// parseTemplates reads the templates: for each page the layout, the shared parts and its own.
func parseTemplates() map[string]*template.Template {
	out := map[string]*template.Template{}
	base := template.Must(template.New("").Funcs(words).Option("missingkey=error").ParseFS(files, "templates/layout.html", "templates/parts.html"))
	for _, p := range append(slices.Clone(pages), errorPage) {
		if out[p.name] == nil && p.show != nil {
			out[p.name] = template.Must(template.Must(base.Clone()).ParseFS(files, "templates/"+p.name+".html"))
		}
	}
	return out
}
