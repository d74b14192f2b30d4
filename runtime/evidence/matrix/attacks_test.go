package matrix

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
)

// attack is a row of the table.
type attack struct {
	name string
	// control marks what is no attack: whatever is said of it is a false alarm.
	control bool
	make    func(*testing.T, *scene) crime
	// unseen says why some don't notice, and what would. It is "" where all do.
	unseen string
}

// onNow is an attack by SQL on the log as it is at T2.
func onNow(statements func(*scene) []statement) func(*testing.T, *scene) crime {
	return func(t *testing.T, s *scene) crime {
		t.Helper()
		c := crime{dir: copyOf(t, s.now), kept: s.kept}
		edit(t, c.dir, statements(s)...)
		return c
	}
}

const (
	hashesOnly = "What others keep are hashes of the whole, and those are untouched. "
	deepFinds  = "`auditlb verify` finds it; run it regularly."
	setHeader  = "UPDATE entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'olivia', 'oliver') AS BLOB) WHERE seq = ?"
	outsiders  = "The file agrees with itself in everything, signature included, so nobody who has nothing but the file can notice. "
)

var attacks = []attack{
	{
		name: "nothing was done", control: true,
		make:   func(t *testing.T, s *scene) crime { return crime{dir: copyOf(t, s.now), kept: s.kept} },
		unseen: "There is nothing to be seen.",
	},
	{
		name: "bodies are erased by the retention", control: true,
		make: func(t *testing.T, s *scene) crime {
			c := crime{dir: copyOf(t, s.now), kept: s.kept}
			erased(t, c.dir, s.signer)
			return c
		},
		unseen: "An entry of the log says which, and the tree is as it was. What was erased is still in proofs and bundles that were handed out before.",
	},
	{
		name:   "a header is edited",
		make:   onNow(func(s *scene) []statement { return []statement{do(setHeader, s.replaced)} }),
		unseen: "A start does not read old entries that nothing is made of. " + hashesOnly + "Who holds a proof or bundle of the entry sees that it says something else. " + deepFinds,
	},
	{
		name:   "a header is edited, of the entry that an object is made of",
		make:   onNow(func(s *scene) []statement { return []statement{do(setHeader, s.current)} }),
		unseen: hashesOnly + "The proof file is of another entry; the bundle has this one. The node refuses to start on it.",
	},
	{
		name: "an index column is edited: under which ticket an entry is found",
		make: onNow(func(s *scene) []statement {
			return []statement{
				do("INSERT INTO changeset (id, actor, ticket, run, workspace, owner) SELECT 500, actor, 'CHG-666', run, workspace, owner FROM changeset WHERE id = (SELECT changeset FROM entry WHERE seq = ?)", s.replaced),
				do("UPDATE entry SET changeset = 500 WHERE seq = ?", s.replaced),
			}
		}),
		unseen: "The columns are not under the tree's hashes: they are how entries are found, and a list may miss one meanwhile. `--depth shape` does not read them, and says so. A deep `auditlb verify` finds it.",
	},
	{
		name: "a body is edited",
		make: onNow(func(s *scene) []statement {
			return []statement{do("UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), '127.0.0.1', '127.6.6.6') AS BLOB) WHERE seq = ?", s.replaced)}
		}),
		unseen: "The tree has headers, which have the digests of bodies: `--depth shape` reads no bodies, and says so, and hashes kept elsewhere are untouched. A deep `auditlb verify` finds it, and so does who holds a proof or bundle of the entry.",
	},
	{
		name: "a body is cleared, with no entry that says it was erased",
		make: onNow(func(s *scene) []statement {
			return []statement{do("UPDATE entry SET salt = x'', body = x'' WHERE seq = ?", s.replaced)}
		}),
		unseen: "To everybody else it looks like a body that was erased by policy. A deep `auditlb verify` finds it, because no entry says so. Proofs and bundles from before still have the body.",
	},
	{
		name: "the current state is edited",
		make: onNow(func(s *scene) []statement {
			return []statement{do("UPDATE current SET state = CAST(replace(CAST(state AS TEXT), '127.0.0.1', '127.6.6.6') AS BLOB) WHERE seq = ?", s.current)}
		}),
		unseen: "The state is what the entries make of it, and they are untouched. The node refuses to start on it, and a deep `auditlb verify` finds it at any time.",
	},
	{
		name: "a token is given another secret",
		make: onNow(func(*scene) []statement {
			return []statement{do("UPDATE secret SET sealed = zeroblob(32) WHERE id LIKE 'token/%'")}
		}),
		unseen: "Secrets lie beside the log, and only the digest of a token's is in it: `auditlb verify` does not read them. The node refuses to start on it.",
	},
	{
		name: "an old stored hash of the tree is edited",
		make: onNow(func(s *scene) []statement {
			return []statement{do("UPDATE hash SET hash = zeroblob(32) WHERE idx = ?", tlog.StoredHashIndex(0, s.old))}
		}),
		unseen: "A start and a consistency proof read the hashes at the tree's edge only, and no more than that is needed: hashes are stored for speed, and made of the entries. " + deepFinds,
	},
	{
		name: "a stored hash at the tree's edge is edited",
		make: onNow(func(*scene) []statement {
			return []statement{do("UPDATE hash SET hash = zeroblob(32) WHERE idx = ?", tlog.StoredHashIndex(audit.TileHeight, 0))}
		}),
	},
	{
		name:   "an entry is deleted",
		make:   onNow(func(s *scene) []statement { return []statement{do("DELETE FROM entry WHERE seq = ?", s.replaced)} }),
		unseen: hashesOnly + "A start does not read old entries. Who holds a proof or bundle of the entry has it still. " + deepFinds,
	},
	{
		name: "an entry is appended",
		make: onNow(func(s *scene) []statement {
			return []statement{do("INSERT INTO entry SELECT seq + 1, ts + 1, type, refused, changeset, resource, leaf, salt, body FROM entry ORDER BY seq DESC LIMIT 1")}
		}),
		unseen: "It is not in the tree that is signed, so to all who go by that it does not exist. The node refuses to start, and `auditlb verify` finds it.",
	},
	{
		name: "an entry is rewritten, with all hashes, without the log's key",
		make: func(t *testing.T, s *scene) crime {
			c := crime{dir: copyOf(t, s.now), kept: s.kept}
			rewrite(t, c.dir, s.replaced, nil)
			return c
		},
	},
	{
		name: "an entry is rewritten, with all hashes, and signed with the log's key",
		make: func(t *testing.T, s *scene) crime {
			c := crime{dir: copyOf(t, s.now), kept: s.kept}
			rewrite(t, c.dir, s.replaced, s.signer)
			return c
		},
		unseen: outsiders + "The node's own file, which says what it saw last, lies beside the log: whoever rewrites the one removes the other. Anything kept elsewhere shows it.",
	},
	{
		name: "the same, signed with a new key of the same name",
		make: func(t *testing.T, s *scene) crime {
			c := crime{dir: copyOf(t, s.now), kept: s.kept}
			rewrite(t, c.dir, s.replaced, newKey(t, c.dir, s.signer.Origin()))
			return c
		},
		unseen: "`auditlb verify` reads the public key from the data directory unless it is given one: give it the one that you had before, with `--public-key`. The witness does not know the new key and signs nothing; that is no alarm, since a key may be changed rightly: watch that cosignatures keep coming.",
	},
	{
		name: "the entries are as they were, and signed with a new key of the same name",
		make: func(t *testing.T, s *scene) crime {
			c := crime{dir: copyOf(t, s.now), kept: s.kept}
			tree, err := audit.LoadTree(extentOf(t, reader(t, c.dir)).Size, audit.HashReader(t.Context(), reader(t, c.dir)))
			must(t, err)
			sign(t, c.dir, &tree, newKey(t, c.dir, s.signer.Origin()))
			return c
		},
		unseen: "Nothing was changed yet; the key in the directory is that of somebody else. The node does not start with a key that the log does not name. `auditlb log rotate-key` changes a key so that the old one vouches for the new.",
	},
	{
		name: "an entry since T1 is rewritten, and signed with the log's key",
		make: func(t *testing.T, s *scene) crime {
			c := crime{dir: copyOf(t, s.now), kept: s.kept}
			rewrite(t, c.dir, s.later, s.signer)
			return c
		},
		unseen: "Nobody but the node had seen the entry. What was kept at T1 is of before, and the log continues it. A checkpoint, cosignature, proof or Terraform state of after the entry would show it: the time between two of them is how long such a thing is possible.",
	},
	{
		name:   "entries since T1 are cut off",
		make:   func(t *testing.T, s *scene) crime { return crime{dir: s.putBack(t, s.then), kept: s.kept} },
		unseen: "Nobody but the node had seen them, and its own file can be removed. A checkpoint of after T1 would show it, and whoever was told that a change succeeded can't find its entry.",
	},
	{
		name:   "a backup of before T1 is restored",
		make:   func(t *testing.T, s *scene) crime { return crime{dir: s.putBack(t, s.early), kept: s.kept} },
		unseen: "A backup is a log that was right once. The witness says that it signed more, and the node raises the alarm; the witness itself keeps nothing, since a smaller checkpoint is no proof of anything. All else that was kept since shows it.",
	},
	{
		name: "the same, and the node's file of what it saw last is removed",
		make: func(t *testing.T, s *scene) crime {
			c := crime{dir: s.putBack(t, s.early), kept: s.kept}
			forget(t, c.dir)
			return c
		},
		unseen: "As before, and the node starts.",
	},
	{
		name: "the same, and the log grows past where it was: a fork",
		make: func(t *testing.T, s *scene) crime {
			c := crime{dir: s.putBack(t, s.early), kept: s.kept}
			grow(t, c.dir, "the fork", 40)
			return c
		},
		unseen: outsiders + "Anything kept elsewhere since the fork shows it.",
	},
	{
		name: "a backup is restored, and passed off as a restart under a new name",
		make: func(t *testing.T, s *scene) crime {
			c := crime{dir: s.putBack(t, s.early), kept: s.kept}
			_, err := daemon.RestartLog(t.Context(), configOf(c.dir), daemon.Restart{Reason: "the disk failed"})
			must(t, err)
			return c
		},
		unseen: "`auditlb log restart` is how a log goes on rightly after it lost entries, and it is told to everybody: Terraform stops and names it. The witness does not know the new log. Nothing can tell whether entries were lost or taken away; what others kept says which they were.",
	},
	{
		name: "two nodes show two histories since T1; held against what was kept at T1",
		make: func(t *testing.T, s *scene) crime {
			kept := s.kept
			kept.witness = s.one.witness
			return crime{dir: copyOf(t, s.other), kept: kept}
		},
		unseen: "Each history continues what was kept at T1 and is right by itself. Only who sees both can notice: a witness, which has cosigned the first and refuses the second, or somebody who compares, as in the next row.",
	},
	{
		name: "the same; held against what was kept of the other history",
		make: func(t *testing.T, s *scene) crime {
			return crime{dir: copyOf(t, s.other), kept: s.one}
		},
		unseen: outsiders + "It takes a witness that both are brought to, or one thing that was kept of the other history.",
	},
}

// newKey puts a new key in place of a node's.
func newKey(t *testing.T, dir, origin string) *audit.Signer {
	t.Helper()
	skey, vkey, err := audit.GenerateKey(origin)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "log.key"), []byte(skey+"\n"+vkey+"\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, daemon.PublicKeyName), []byte(vkey+"\n"), 0o600))
	return signerOf(t, dir)
}
