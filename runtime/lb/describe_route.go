package lb

import (
	"fmt"
	"maps"
)

var routeDescriptions = merge(
	map[string]string{
		"":         "A route says what happens to those requests of a listener that match.",
		"listener": "Name of the listener whose requests are routed. Routes of a `tls_passthrough` listener have nothing but `match.hosts` and `action.forward`.",
		"priority": "Of all routes that match, the one with the highest priority wins, " + between(MinPriority, MaxPriority) + ". Equal priorities are decided by the more specific host (exact, longer wildcard, any), then path (exact, longer prefix, regular expression, any), then by more conditions (methods, headers, query parameters), then by name. " + defaultsTo(DefaultPriority),

		"match":             "Which requests the route is for. What is left out matches everything.",
		"match.hosts":       fmt.Sprintf("Host names, exact (`app.example.com`) or with a leading wildcard label (`*.example.com`, any depth). At most %d.", MaxRouteHosts),
		"match.path_exact":  "The path, exactly.",
		"match.path_prefix": "A path and all below it: `/api` matches `/api` and `/api/v1`, not `/apis`. Can't be combined with `path_exact`.",
		"match.path_regex":  fmt.Sprintf("A regular expression (RE2) that the whole path must match, decoded and without dot segments; at most %d bytes. Can't be combined with `path_exact` or `path_prefix`.", MaxRegexLength),
		"match.methods":     fmt.Sprintf("Methods in capital letters, such as `GET`. At most %d.", MaxRouteMethods),
		"match.headers":     fmt.Sprintf("Conditions on headers, by the header's name in lower case. All must hold; of several values of a header one must meet its condition. At most %d.", MaxHeaderMatches),
		"match.query":       fmt.Sprintf("Conditions on query parameters, by the parameter's name. All must hold; of several values of a parameter one must meet its condition. At most %d.", MaxQueryMatches),

		"action":                  "What happens to requests that match: exactly one of `forward`, `redirect` and `fixed_response`.",
		"action.forward":          fmt.Sprintf("Pools that share the requests, by pool name. At most %d.", MaxRouteForwards),
		"action.forward.*":        "One pool's share.",
		"action.forward.*.weight": "Share of the requests compared with the other pools, " + between(0, MaxForwardWeight) + ". " + defaultsTo(DefaultForwardWeight),

		"action.redirect":             "Sends the client to another place. What is left out stays as requested.",
		"action.redirect.status":      "Status of the answer, " + choice(RedirectStatuses) + ". " + defaultsTo(DefaultRedirectStatus),
		"action.redirect.scheme":      "The new scheme, " + choice(RedirectSchemes) + ".",
		"action.redirect.host":        "The new host, without a port.",
		"action.redirect.port":        "The new port, at most 65535. `0` keeps the requested one as long as the scheme stays.",
		"action.redirect.path":        "The new path.",
		"action.redirect.path_prefix": "What replaces the part of the path that `match.path_prefix` matched. Can't be combined with `path`.",
		"action.redirect.strip_query": "Whether the query is dropped. " + defaultsTo(false),

		"action.fixed_response":              "Answers without a member.",
		"action.fixed_response.status":       "Status of the answer, " + between(MinFixedStatus, MaxFixedStatus) + ". " + defaultsTo(DefaultFixedStatus),
		"action.fixed_response.content_type": "Media type of the body. " + defaultsTo(DefaultContentType),
		"action.fixed_response.body":         fmt.Sprintf("The body, at most %d bytes. Must be empty for statuses 204 and 304.", MaxFixedBodyBytes),

		"action.rewrite":             "Changes what the member is asked for. What is left out stays. Goes with `forward`.",
		"action.rewrite.host":        "The new `Host` header, with or without a port.",
		"action.rewrite.path":        "The new path. With `match.path_regex` it may refer to groups: `$1`, `${name}`, and `$$` for the sign itself.",
		"action.rewrite.path_prefix": "What replaces the part of the path that `match.path_prefix` matched. Can't be combined with `path`.",

		"action.mirror":         "Sends a copy of requests to a second pool and drops its answers. Goes with `forward`.",
		"action.mirror.pool":    "Name of the second pool.",
		"action.mirror.percent": "Share of the requests that are copied, " + between(0, MaxPercent) + ". " + defaultsTo(DefaultMirrorPercent),

		"timeouts":          "How long a request may take.",
		"timeouts.response": "Time a member may take to begin its response, in place of the pool's, " + spanIfSet(MinTimeout, MaxTimeout, DefaultRouteTimeout),
		"timeouts.request":  "Time the whole exchange may take, retries included, " + durationForm + ", " + between(MinTimeout, MaxTimeout) + ", or `0s` for no bound. " + defaultsTo(DefaultRouteTimeout),
	},
	valueMatchDescriptions("match.headers.*"), valueMatchDescriptions("match.query.*"),
	headerChangesDescriptions("request_headers", "Changes to the headers that the member gets: remove, then set, then add."),
	headerChangesDescriptions("response_headers", "Changes to the headers that the client gets: remove, then set, then add."),
)

func merge(parts ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

func valueMatchDescriptions(at string) map[string]string {
	return map[string]string{
		at: "One condition.",
		at + ".type": fmt.Sprintf("How the value is compared: `exact`, `prefix`, `regex` (RE2, the whole value, at most %d bytes), or only whether there is one: `present`, `absent`. %s",
			MaxRegexLength, defaultsTo(DefaultMatchType)),
		at + ".value": fmt.Sprintf("What the value is compared with, at most %d bytes. Left out for `present` and `absent`.", MaxHeaderValueLength),
	}
}

func headerChangesDescriptions(at, text string) map[string]string {
	return map[string]string{
		at:             text + " Values stand in the state and in the log: they are no place for secrets. Can't be changed: " + listed(ProtectedHeaders) + ".",
		at + ".set":    fmt.Sprintf("Values that replace a header's, by the header's name in lower case. At most %d, with values of at most %d bytes.", MaxHeaderChanges, MaxHeaderValueLength),
		at + ".set.*":  "The header's value.",
		at + ".add":    fmt.Sprintf("Values that are added to what a header has, by the header's name in lower case. At most %d, with values of at most %d bytes.", MaxHeaderChanges, MaxHeaderValueLength),
		at + ".add.*":  "The header's value.",
		at + ".remove": fmt.Sprintf("Names of headers that are removed. At most %d.", MaxHeaderChanges),
	}
}
