// Package identity says who is calling and what their role lets them do. It
// makes and checks tokens; where they are kept is not its business.
package identity
