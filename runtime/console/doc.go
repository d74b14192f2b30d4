// Package console is the web pages of the runtime, below /console/. They are rendered here,
// from templates in the binary, and work without scripts; scripts make them live.
//
// The console is a client of the management API and nothing more: each page calls it in
// process, with the credential of whoever is signed in, so roles, scopes, refusals and
// records are the API's. The credential stays in the server's memory, see [sessions]; the
// browser holds a random cookie.
//
// # A page
//
// A page is one Go file, one template of the same name, and one line in [pages]:
//
//	// coffee.go
//	var coffeePage = page{name: "coffee", path: "/coffee", nav: "Coffee", show: (*visit).coffee}
//
//	func (v *visit) coffee() (view, error) {
//		list, err := v.client.Coffee(v.Context(), v.page())
//		if err != nil {
//			return view{}, err // a *api.Problem is shown, anything else is logged
//		}
//		return view{title: "Coffee", scripts: []string{"coffee.js"}, data: list}, nil
//	}
//
//	<!-- templates/coffee.html -->
//	{{define "main"}}{{with .Data}}<h1>Coffee</h1> …{{end}}{{end}}
//
// The template is given a [frame]: Data is the view's, and $ is the frame inside {{with}}.
// templates/layout.html draws what is around it, and templates/parts.html has what pages
// share (time, who, badge, difference …). Functions of templates are in words.go. Addresses of
// pages are made by entryURL, objectURL, ticketURL and the like, never by hand.
//
// What a page is about is in its URL, so that every page can be linked to. Whatever is
// sent goes by POST to the page's own path, in a form that holds {{template "csrf" $}}; the
// page's act function does it and names the path that is shown next:
//
//	func (v *visit) orderCoffee() (string, error) {
//		_, err := v.client.OrderCoffee(v.Context(), v.PostFormValue("size"))
//		return "/console/coffee", err // an error is shown there as a notice
//	}
//
// A view may be a download or a redirect in place of a page. A page about one thing can say
// that it has changed since it was loaded, see [watch].
//
// Scripts are ES modules in static/, one for each page that needs one; styles are in
// static/console.css. There is no inline script, style or style attribute: the
// Content-Security-Policy forbids them. What a page says must not need its script.
package console
