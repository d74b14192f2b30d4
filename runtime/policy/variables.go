package policy

import "cel.dev/cel-go/cel"

// Variable is one thing that rules can name.
type Variable struct {
	// Name is how a rule writes it, such as change.kind.
	Name string
	// Type is its type in CEL, such as list(string).
	Type string
	// Doc says what it is.
	Doc string
}

// Variables lists everything that rules can name, in the order of the guide.
func Variables() []Variable {
	var all []Variable
	for _, r := range records {
		for _, f := range r.fields {
			all = append(all, Variable{r.name + "." + f.name, f.typ.String(), f.doc})
		}
	}
	return append(all, Variable{nowName, cel.TimestampType.String(), nowDoc})
}

const (
	nowName = "now"
	nowDoc  = "when the decision is made"
)

// field is an attribute of a record.
type field struct {
	name  string
	typ   *cel.Type
	doc   string
	value func(*Input) any
}

var (
	texts   = cel.ListType(cel.StringType)
	labels  = cel.MapType(cel.StringType, cel.StringType)
	anyJSON = cel.MapType(cel.StringType, cel.DynType)
)

// records are the variables that have fields, in the order of the guide. The name
// of a record's type can't be written in an expression, so none can be made there.
var records = []*record{
	newRecord("change",
		field{"kind", cel.StringType, "`pool`, `listener`, `route`, `certificate`, `freeze` or `policy`", func(in *Input) any { return in.Change.Kind }},
		field{"name", cel.StringType, "the object's name", func(in *Input) any { return in.Change.Name }},
		field{"address", cel.StringType, "kind and name, such as `pool/web`", func(in *Input) any { return in.Change.Address }},
		field{"op", cel.StringType, "`create`, `update` or `delete`", func(in *Input) any { return in.Change.Op }},
		field{"before", anyJSON, "the object as it is; empty when it is created. Private keys are not in it", func(in *Input) any { return in.Change.Before }},
		field{"after", anyJSON, "the object as it would be, with its defaults; empty when it is deleted", func(in *Input) any { return in.Change.After }},
		field{"owner", cel.StringType, "who is called about the object: of `after`, or of `before` when it is deleted", func(in *Input) any { return in.Change.Owner }},
		field{"labels", labels, "its labels, from where the owner is", func(in *Input) any { return in.Change.Labels }},
		field{"changed", texts, "JSON pointers to what differs, such as `/members/a/weight`; the empty one for an object that is created or deleted", func(in *Input) any { return in.Change.Changed }},
		field{"unplanned", cel.BoolType, "whether no plan announced the change", func(in *Input) any { return in.Change.Unplanned }},
	),
	newRecord("ticket",
		field{"id", cel.StringType, "the change ticket's id, such as `CHG-1042`", func(in *Input) any { return in.Ticket.ID }},
		field{"type", cel.StringType, "`standard`, `normal` or `emergency`", func(in *Input) any { return in.Ticket.Type }},
		field{"title", cel.StringType, "what is to be done, in a few words", func(in *Input) any { return in.Ticket.Title }},
		field{"requester", cel.StringType, "who opened it", func(in *Input) any { return in.Ticket.Requester }},
		field{"approvals", texts, "the names of those who approved it", func(in *Input) any { return in.Ticket.Approvals }},
		field{"required_approvals", cel.IntType, "how many approvals it needs", func(in *Input) any { return in.Ticket.RequiredApprovals }},
		field{"bound", cel.BoolType, "whether exactly these changes were approved, and no others in its scope", func(in *Input) any { return in.Ticket.Bound }},
		field{"uses", cel.IntType, "how many changes were made under it before this one", func(in *Input) any { return in.Ticket.Uses }},
		field{"max_uses", cel.IntType, "how many may be made; 0 when that is not limited", func(in *Input) any { return in.Ticket.MaxUses }},
		field{"authority", cel.StringType, "the system the ticket lives in; empty for auditlb itself", func(in *Input) any { return in.Ticket.Authority }},
		field{"not_before", cel.TimestampType, "when its window begins", func(in *Input) any { return in.Ticket.NotBefore }},
		field{"not_after", cel.TimestampType, "when its window ends", func(in *Input) any { return in.Ticket.NotAfter }},
	),
	newRecord("actor",
		field{"name", cel.StringType, "who makes the change", func(in *Input) any { return in.Actor.Name }},
		field{"role", cel.StringType, "in which role, such as `operator`", func(in *Input) any { return in.Actor.Role }},
		field{"credential", cel.StringType, "what was shown: a token, a session or a certificate", func(in *Input) any { return in.Actor.Credential }},
		field{"provider", cel.StringType, "name of the identity provider; empty for other credentials", func(in *Input) any { return in.Actor.Provider }},
		field{"issuer", cel.StringType, "the identity provider's issuer URL; empty for other credentials", func(in *Input) any { return in.Actor.Issuer }},
		field{"subject", cel.StringType, "who the identity provider says it is; empty for other credentials", func(in *Input) any { return in.Actor.Subject }},
	),
	newRecord("run",
		field{"id", cel.StringType, "the run of Terraform, such as `github/acme/infra/123/1`; empty when there is none", func(in *Input) any { return in.Run.ID }},
		field{"verified", cel.BoolType, "whether a token proves that the caller is this run", func(in *Input) any { return in.Run.Verified }},
		field{"claimed", labels, "what the run says of itself, unproved", func(in *Input) any { return in.Run.Claimed }},
		field{"proved", labels, "what the token says of the run; empty when it is not verified", func(in *Input) any { return in.Run.Proved }},
	),
}
