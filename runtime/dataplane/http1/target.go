package http1

import "bytes"

// TargetForm is the form of a request target (RFC 9112 §3.2).
type TargetForm uint8

// The forms of a request target.
const (
	OriginForm    TargetForm = iota // /path?query
	AbsoluteForm                    // http://host/path?query
	AuthorityForm                   // host:port, for CONNECT
	AsteriskForm                    // *, for OPTIONS
)

// parseTarget splits the target, whose bytes are checked, and sets the authority if
// it has one.
func (r *Request) parseTarget() *ParseError {
	switch target := r.Target; {
	case string(r.Method) == "CONNECT":
		r.Form, r.Host = AuthorityForm, target
		// RFC 9110 §9.3.6: without a port there is nothing to connect to.
		if port, ok := cutPort(target); !ok || len(port) == 0 {
			return errTargetForm
		}
		return nil
	case target[0] == '/':
		return r.splitPath(target)
	case string(target) == "*":
		r.Form, r.Path = AsteriskForm, target
		if string(r.Method) != "OPTIONS" {
			return errTargetForm
		}
		return nil
	case hasPrefixFold(target, "http://"):
		return r.splitAbsolute(target[len("http://"):])
	case hasPrefixFold(target, "https://"):
		return r.splitAbsolute(target[len("https://"):])
	}
	return errTargetForm
}

func (r *Request) splitAbsolute(target []byte) *ParseError {
	r.Form = AbsoluteForm
	end := bytes.IndexAny(target, "/?")
	if end < 0 {
		end = len(target)
	}
	r.Host = target[:end]
	if !ValidAuthority(r.Host) {
		return errHost
	}
	if err := r.splitPath(target[end:]); err != nil {
		return err
	}
	if len(r.Path) == 0 {
		r.Path = slash
		// RFC 9112 §3.2.4: this is how a proxy is asked about the server itself.
		if string(r.Method) == "OPTIONS" && !r.HasQuery {
			r.Path = asterisk
		}
	}
	return nil
}

var slash, asterisk = []byte("/"), []byte("*")

// splitPath splits a path, which may be empty, from its query.
func (r *Request) splitPath(target []byte) *ParseError {
	r.Path, r.Query, r.HasQuery = bytes.Cut(target, []byte{'?'})
	for path := r.Path; ; {
		i := bytes.IndexByte(path, '%')
		if i < 0 {
			return nil
		}
		if len(path) < i+3 || !consists(path[i+1:i+3], hexByte) {
			return errPathEscape
		}
		path = path[i+3:]
	}
}

// AppendTarget appends the target in the form that an origin server gets (RFC 9112
// §3.2.1): Path and Query, or Target if it is that already.
func (r *Request) AppendTarget(dst []byte) []byte {
	if r.Form != AbsoluteForm {
		return append(dst, r.Target...)
	}
	dst = append(dst, r.Path...)
	if r.HasQuery {
		dst = append(dst, '?')
		dst = append(dst, r.Query...)
	}
	return dst
}
