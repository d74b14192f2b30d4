package sink

import (
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// ocsfVersion is the version of the schema that events follow. They also follow those up to
// 1.8.0, where user.credential_uid is deprecated and still there.
const ocsfVersion = "1.5.0"

// class is a class of events.
type class struct {
	uid           int
	name, caption string
	categoryUID   int
	category      string
}

var (
	// apiActivity is for calls that change no object, or that tried to.
	apiActivity = &class{6003, "api_activity", "API Activity", 6, "Application Activity"}
	// entityManagement is for what is made, changed or deleted.
	entityManagement = &class{3004, "entity_management", "Entity Management", 3, "Identity & Access Management"}
)

// Activities that both classes have. activityOther is named by the entry's operation.
const (
	activityCreate = 1
	activityUpdate = 3
	activityDelete = 4
	activityOther  = 99
)

var activityNames = map[int]string{activityCreate: "Create", activityUpdate: "Update", activityDelete: "Delete"}

// mapping says what class and activity entries of a type and operation have. An empty
// operation is any other.
type mapping struct {
	typ      audit.Type
	op       string
	class    *class
	activity int
}

// mappings is the whole map; the guide shows it.
var mappings = []mapping{
	{audit.TypeApply, string(lb.OpCreate), entityManagement, activityCreate},
	{audit.TypeApply, string(lb.OpUpdate), entityManagement, activityUpdate},
	{audit.TypeApply, string(lb.OpDelete), entityManagement, activityDelete},
	{audit.TypeApply, "", entityManagement, activityOther},
	{audit.TypeTicket, "open", entityManagement, activityCreate},
	{audit.TypeTicket, "", entityManagement, activityUpdate},
	{audit.TypeRun, "register", entityManagement, activityCreate},
	{audit.TypeRun, "", entityManagement, activityUpdate},
	{audit.TypePlan, "", apiActivity, activityOther},
	{audit.TypeReject, string(lb.OpCreate), apiActivity, activityCreate},
	{audit.TypeReject, string(lb.OpUpdate), apiActivity, activityUpdate},
	{audit.TypeReject, string(lb.OpDelete), apiActivity, activityDelete},
	{audit.TypeReject, "", apiActivity, activityOther},
	{audit.TypeIdentity, "create", apiActivity, activityCreate},
	{audit.TypeIdentity, "revoke", apiActivity, activityDelete},
	{audit.TypeIdentity, "", apiActivity, activityOther},
	{audit.TypeDrift, "", apiActivity, activityOther},
	{audit.TypeSystem, "create", apiActivity, activityCreate},
	{audit.TypeSystem, "", apiActivity, activityOther},
}

// mappingOf is how an entry appears. A type that the map does not know is a call.
func mappingOf(e *api.EntryRecord) mapping {
	for _, m := range mappings {
		if string(m.typ) == e.Type && (m.op == e.Op || m.op == "") {
			return m
		}
	}
	return mapping{audit.Type(e.Type), "", apiActivity, activityOther}
}

func classOf(e *api.EntryRecord) *class { return mappingOf(e).class }

// activityName is the caption of an activity; of another, what was done in our words.
func (m mapping) activityName(e *api.EntryRecord) string {
	if name, ok := activityNames[m.activity]; ok {
		return name
	}
	if e.Op == "" || m.typ == audit.TypePlan || m.typ == audit.TypeDrift {
		return e.Type
	}
	return e.Op
}

// Severities and states that we use.
const (
	severityInformational = 1
	severityMedium        = 3
	severityHigh          = 4

	statusSuccess = 1
	statusFailure = 2

	userUser   = 1
	userAdmin  = 2
	userSystem = 3

	entityPolicy = 5
	entityOther  = 99
)

// ocsfSeverity goes with severityOf.
func ocsfSeverity(e *api.EntryRecord) (int, string) {
	switch {
	case e.Emergency:
		return severityHigh, "High"
	case e.Outcome == audit.OutcomeRefused:
		return severityMedium, "Medium"
	}
	return severityInformational, "Informational"
}
