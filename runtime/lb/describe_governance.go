package lb

import "fmt"

var freezeDescriptions = map[string]string{
	"":           "A freeze window: while it is on, nothing that it covers can be changed but under an emergency ticket. To end one early is such a change too.",
	"reason":     fmt.Sprintf("What people are told who are stopped by it. At most %d bytes.", MaxFreezeReason),
	"addresses":  fmt.Sprintf("What is frozen: globs over kind/name, such as `pool/web`, `route/shop-*`, or `*` for everything, policies and freeze windows included. At most %d. %s", MaxFreezeAddresses, defaultsTo(GlobEverything)),
	"begin":      fmt.Sprintf("When the window begins, or the first of a recurring one, RFC 3339, between the years %d and %d.", minFreezeYear, maxFreezeYear),
	"end":        fmt.Sprintf("When it ends, RFC 3339, at most %d days after `begin`. Of a recurring window this gives the length of each, exactly: the hour that a change of clocks adds or takes moves its end.", int(MaxFreezeLength.Hours()/24)),
	"recurrence": fmt.Sprintf("A rule of RFC 5545 §3.3.10 by which the window recurs from `begin` on, such as %#q: daily, weekly, monthly or yearly, at the time of day of `begin`, which must be one of the rule's own times. `INTERVAL` and `COUNT` are at most %d and %d, the whole rule %d bytes. Left out: the window is there once.", recurrenceExample, MaxRecurrenceInterval, MaxRecurrenceCount, MaxRecurrenceLength),
	"time_zone":  "IANA name of the time zone in which the rule counts days, such as `Europe/Berlin`: a recurring window keeps its local time when clocks change. " + defaultsTo(DefaultFreezeZone),
}

var policyDescriptions = map[string]string{
	"":                     "Rules that changes are held to, written in the Common Expression Language (CEL). A change must meet every rule of every policy, at the moment when it is made; a rule that can't be evaluated refuses it.",
	"rules":                fmt.Sprintf("The rules by name. At most %d, with at most %d bytes of expressions in all.", MaxPolicyRules, MaxPolicyBytes),
	"rules.*":              "One rule.",
	"rules.*.when":         fmt.Sprintf("Which changes the rule is for, a CEL expression that is true or false, at most %d bytes. %s", MaxRuleExpression, defaultsTo(DefaultRuleWhen)),
	"rules.*.require":      fmt.Sprintf("What must be true of them, a CEL expression such as `ticket.approvals.size() >= 2`, at most %d bytes. It sees `change`, `ticket`, `actor`, `run` and `now`.", MaxRuleExpression),
	"rules.*.message":      fmt.Sprintf("What people are told whose change does not meet the rule. At most %d bytes.", MaxRuleMessage),
	"rules.*.on_emergency": "Whether changes under emergency tickets are held to the rule too. " + defaultsTo(DefaultOnEmergency),
	"authority_grace": "How long the last good answer about a ticket that lives elsewhere counts while its authority can't be reached, " +
		spanIfSet(MinAuthorityGrace, MaxAuthorityGrace, DefaultGrace) + " With `0s` this policy allows no grace of its own; of several policies that allow one the shortest counts, and with none, changes are refused until the authority answers.",
}
