package authority

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// gitHub reads issues or pull requests of one repository. An id ends in the number;
// issues and pull requests share their numbers, so that an authority handles either
// the ones or the others, and no ticket has two ids.
//
// An issue is approved while it is open and has the label, by whoever put it there
// last. A pull request is approved when it is merged, or open without a standing
// request for changes, and somebody other than its author has approved it: by a
// review of its last commit, or by merging it. The last review that approves, requests
// changes or was dismissed is a reviewer's standing one; comments leave it as it is. A
// request for changes stands whichever commit it is about. Approvals count only of the
// repository's people (owners, members, collaborators): anybody can review in public.
// What apps do is no approval.
type gitHub struct {
	*exchange
	repo  string // URL of the repository in the API
	label string
	pulls bool
}

const (
	gitHubAccept  = "application/vnd.github+json"
	gitHubVersion = "2022-11-28"
	// gitHubPage and gitHubPages bound the events and reviews that are read. Reviews
	// can be long, and a page has to stay below MaxResponseBytes.
	gitHubPage  = 50
	gitHubPages = 10
)

func newGitHub(cfg *Config, x *exchange) *gitHub {
	x.accept = gitHubAccept
	x.header.Set("X-GitHub-Api-Version", gitHubVersion)
	return &gitHub{exchange: x, repo: cfg.URL + "/repos/" + cfg.GitHub.Repository, label: cfg.GitHub.Label, pulls: cfg.GitHub.PullRequests}
}

type ghUser struct {
	Login string `json:"login"`
	Type  string `json:"type"`
}

// human reports whether an account is a person's. Deleted accounts are null.
func (u ghUser) human() bool { return u.Login != "" && u.Type == "User" }

type ghLabel struct {
	Name string `json:"name"`
}

// ghTicket has what issues and pull requests have in common, and what only one has.
type ghTicket struct {
	Number  int64  `json:"number"`
	Title   string `json:"title"`
	Body    string `json:"body"`
	HTMLURL string `json:"html_url"`
	State   string `json:"state"`
	User    ghUser `json:"user"`

	StateReason string    `json:"state_reason"`
	Labels      []ghLabel `json:"labels"`
	PullRequest *struct{} `json:"pull_request"`

	Draft    bool      `json:"draft"`
	Merged   bool      `json:"merged"`
	MergedAt time.Time `json:"merged_at"`
	MergedBy ghUser    `json:"merged_by"`
	Head     struct {
		SHA string `json:"sha"`
	} `json:"head"`
}

type ghEvent struct {
	Event     string    `json:"event"`
	Actor     ghUser    `json:"actor"`
	Label     ghLabel   `json:"label"`
	CreatedAt time.Time `json:"created_at"`
}

type ghReview struct {
	User        ghUser    `json:"user"`
	State       string    `json:"state"`
	CommitID    string    `json:"commit_id"`
	Association string    `json:"author_association"`
	SubmittedAt time.Time `json:"submitted_at"`
}

func (g *gitHub) read(ctx context.Context, id string) (reading, error) {
	number, ok := numberOf(id)
	if !ok {
		return reading{}, ErrNotFound
	}
	kind := "issues"
	if g.pulls {
		kind = "pulls"
	}
	target := fmt.Sprintf("%s/%s/%s", g.repo, kind, number)
	var t ghTicket
	if err := g.get(ctx, target, &t); err != nil {
		return reading{}, err
	}
	if fmt.Sprint(t.Number) != number || !g.pulls && t.PullRequest != nil {
		return reading{}, ErrNotFound
	}
	found := reading{Facts: ticket.Facts{
		Title: t.Title, Reason: firstOf(t.Body, t.Title), URL: t.HTMLURL, Requester: t.User.Login, State: ticket.Pending,
	}}
	judge := g.readIssue
	if g.pulls {
		judge = g.readPull
	}
	err := judge(ctx, target, &t, &found)
	return found, err
}

func (g *gitHub) readIssue(ctx context.Context, target string, t *ghTicket, found *reading) error {
	switch {
	case t.State == "closed" && t.StateReason == "not_planned":
		found.State = ticket.Cancelled
		return nil
	case t.State == "closed":
		found.State = ticket.Closed
		return nil
	case t.State != "open" || !g.approving(t.Labels...):
		return nil
	}
	var last ghEvent
	err := readPages(ctx, g, target+"/events", func(e ghEvent) {
		switch {
		case e.Event == "labeled" && g.approving(e.Label):
			last = e
		case e.Event == "unlabeled" && g.approving(e.Label):
			last = ghEvent{}
		}
	})
	if err != nil || !last.Actor.human() {
		return err
	}
	found.State = ticket.Approved
	found.Approvals = []ticket.Approval{{By: last.Actor.Login, At: last.CreatedAt}}
	found.approvedAt = last.CreatedAt
	return nil
}

func (g *gitHub) approving(labels ...ghLabel) bool {
	for _, l := range labels {
		if strings.EqualFold(l.Name, g.label) {
			return true
		}
	}
	return false
}

func (g *gitHub) readPull(ctx context.Context, target string, t *ghTicket, found *reading) error {
	switch {
	case !t.Merged && t.State == "closed":
		found.State = ticket.Cancelled
		return nil
	case !t.Merged && (t.State != "open" || t.Draft), t.Head.SHA == "":
		return nil
	}
	standing := map[string]ghReview{}
	var order []string
	err := readPages(ctx, g, target+"/reviews", func(r ghReview) {
		switch r.State {
		case "APPROVED", "CHANGES_REQUESTED", "DISMISSED":
			if _, known := standing[r.User.Login]; !known {
				order = append(order, r.User.Login)
			}
			standing[r.User.Login] = r
		}
	})
	if err != nil {
		return err
	}
	objected := false
	for _, login := range order {
		r := standing[login]
		if !reviewCounts(r) {
			continue
		}
		objected = objected || r.State == "CHANGES_REQUESTED"
		if r.State == "APPROVED" && r.User.human() && r.CommitID == t.Head.SHA {
			found.Approvals = append(found.Approvals, ticket.Approval{By: login, At: r.SubmittedAt})
		}
	}
	found.approvedAt = latest(found.Approvals)
	if t.Merged {
		found.approvedAt = t.MergedAt
		if t.MergedBy.human() {
			found.Approvals = append(found.Approvals, ticket.Approval{By: t.MergedBy.Login, At: t.MergedAt})
		}
	}
	if len(found.Approvals) > 0 && (t.Merged || !objected) {
		found.State = ticket.Approved
	}
	return nil
}

// reviewCounts tells reviews of the repository's people from anybody's.
func reviewCounts(r ghReview) bool {
	switch r.Association {
	case "OWNER", "MEMBER", "COLLABORATOR":
		return true
	}
	return false
}

func (g *gitHub) comment(ctx context.Context, id, text string) error {
	number, ok := numberOf(id)
	if !ok {
		return ErrNotFound
	}
	// Comments on a pull request as a whole are those of its issue.
	return g.put(ctx, http.MethodPost, g.repo+"/issues/"+number+"/comments", map[string]string{"body": text})
}

// readPages hands over every item of a list, oldest first. A list that is too long is
// refused: what matters may be at its end.
func readPages[T any](ctx context.Context, g *gitHub, target string, each func(T)) error {
	for page := 1; page <= gitHubPages; page++ {
		var items []T
		more, err := g.getPage(ctx, fmt.Sprintf("%s?per_page=%d&page=%d", target, gitHubPage, page), &items)
		if err != nil {
			return g.notAbsent(err)
		}
		for _, item := range items {
			each(item)
		}
		if !more {
			return nil
		}
	}
	return g.ofTicket(fmt.Sprintf("the ticket has more than %d events or reviews", gitHubPage*gitHubPages))
}

// numberOf returns the digits that an id ends in. A leading zero would give a ticket
// a second id.
func numberOf(id string) (string, bool) {
	digits := id[len(strings.TrimRight(id, "0123456789")):]
	return digits, digits != "" && digits[0] != '0'
}
