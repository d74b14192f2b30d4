package ticket

import (
	"fmt"
	"strings"
)

// CheckReason returns what is wrong with the reason of something that is done under a
// ticket, or "".
func CheckReason(reason string) string {
	switch {
	case !saysSomething(reason):
		return "is required and must say something: punctuation alone does not"
	case len(reason) > MaxTextLength:
		return fmt.Sprintf("is %d bytes long; at most %d are allowed", len(reason), MaxTextLength)
	case strings.IndexFunc(reason, unprintable) >= 0:
		return "must not contain control or invisible characters"
	}
	return ""
}
