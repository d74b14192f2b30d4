// Command caddy is Caddy with its standard modules, to be measured against. It is
// a module of its own so that its dependencies touch nothing else.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func main() { caddycmd.Main() }
