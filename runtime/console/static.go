package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

//go:embed templates static
var files embed.FS

// assets are the files of static/, by name. They are served below a hash of all of them,
// so that modules find each other by relative paths and nothing is ever out of date.
type assets struct {
	hash string
	held map[string][]byte
}

func loadAssets() assets {
	a := assets{held: map[string][]byte{}}
	sum := sha256.New()
	entries, err := fs.ReadDir(files, "static") // in order of name
	if err != nil {
		panic(err) // they are in the binary
	}
	for _, e := range entries {
		content, err := fs.ReadFile(files, "static/"+e.Name())
		if err != nil {
			panic(err)
		}
		a.held[e.Name()] = content
		sum.Write([]byte(e.Name()))
		sum.Write([]byte{0})
		own := sha256.Sum256(content)
		sum.Write(own[:])
	}
	a.hash = hex.EncodeToString(sum.Sum(nil))[:16]
	return a
}

// path is where a file is served.
func (a *assets) path(name string) string { return Root + "static/" + a.hash + "/" + name }

// ServeHTTP implements http.Handler.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content, ok := a.held[r.PathValue("file")]
	if !ok || r.PathValue("hash") != a.hash {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", contentType(r.PathValue("file")))
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(content)
}

func contentType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
	}
	return api.ContentTile
}
