// Package policy holds changes to rules written in the Common Expression
// Language. It compiles the rules of policies, decides on a change, and runs
// tables of cases that say what the rules are meant to decide. It is pure: what
// a rule sees is passed in, and nothing is stored here.
//
// It fails closed. A rule that can't be evaluated refuses the change, whether a
// key is missing, a type is wrong, or it needs more computation than it may use.
package policy
