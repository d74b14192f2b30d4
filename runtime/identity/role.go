package identity

import "slices"

// Role is what an actor may do.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"
	Planner  Role = "planner"
	Operator Role = "operator"
	Approver Role = "approver"
	Auditor  Role = "auditor"
	Admin    Role = "admin"
)

// Roles lists every role.
var Roles = []Role{Viewer, Planner, Operator, Approver, Auditor, Admin}

// Permission is one thing that a call needs.
type Permission string

// The permissions.
const (
	Read          Permission = "read"
	RegisterRun   Permission = "register a run"
	Plan          Permission = "plan changes"
	Change        Permission = "change objects"
	Govern        Permission = "change policies and freeze windows"
	OpenTicket    Permission = "open tickets"
	OpenEmergency Permission = "open emergency tickets"
	ApproveTicket Permission = "approve, reject or review tickets"
	CloseTicket   Permission = "cancel or close tickets"
	ManageTokens  Permission = "manage tokens"
	ExplainAccess Permission = "see what others may do"
)

// grants says what each role may do. Every role may read and may say which run
// it is: a run is a claim, and even a plan that only reads should leave one.
var grants = map[Role][]Permission{
	Viewer:   {Read, RegisterRun},
	Auditor:  {Read, RegisterRun, ExplainAccess},
	Planner:  {Read, RegisterRun, Plan, OpenTicket},
	Operator: {Read, RegisterRun, Plan, Change, OpenTicket, OpenEmergency, CloseTicket},
	Approver: {Read, RegisterRun, ApproveTicket, CloseTicket, ExplainAccess},
	Admin:    {Read, RegisterRun, Plan, Change, Govern, OpenTicket, OpenEmergency, ApproveTicket, CloseTicket, ManageTokens, ExplainAccess},
}

// Permissions lists what the role may do.
func (r Role) Permissions() []Permission { return slices.Clone(grants[r]) }

// Can reports whether the role grants a permission.
func (r Role) Can(p Permission) bool { return slices.Contains(grants[r], p) }

// Valid reports whether r is one of [Roles].
func (r Role) Valid() bool { return slices.Contains(Roles, r) }

// RolesWith lists the roles that grant a permission.
func RolesWith(p Permission) []Role {
	var out []Role
	for _, r := range Roles {
		if r.Can(p) {
			out = append(out, r)
		}
	}
	return out
}
