package witness

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// Signature types of public keys (C2SP signed-note).
const (
	algCosignature = 0x04
	algMLDSA       = 0x06
)

// policyParser is what the lines up to one have said.
type policyParser struct {
	policy Policy
	names  map[string]*component
	groups int
	// keys are the key materials that were seen, members the names that are in a
	// group already.
	keys, members map[string]bool
	quorum        *component
}

func (b *policyParser) line(line string) error {
	for _, c := range []byte(line) {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return fmt.Errorf("the character %#02x is not allowed; lines end in a newline alone", c)
		}
	}
	items := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(items) == 0 || strings.HasPrefix(items[0], "#") {
		return nil
	}
	for _, item := range items {
		if strings.HasPrefix(item, "#") {
			return fmt.Errorf("a comment takes a line of its own: %q", item)
		}
	}
	switch items[0] {
	case "log":
		return b.log(items[1:])
	case "witness":
		return b.witness(items[1:])
	case "group":
		return b.group(items[1:])
	case "quorum":
		return b.setQuorum(items[1:])
	}
	return fmt.Errorf("%q is none of log, witness, group and quorum", items[0])
}

func (b *policyParser) log(items []string) error {
	if len(items) != 1 && len(items) != 2 {
		return errors.New("a log line is: log KEY [URL]")
	}
	if _, err := f_note.NewVerifier(items[0]); err != nil {
		return fmt.Errorf("the log's public key %q is not valid", items[0])
	}
	if err := b.once("log", items[0]); err != nil {
		return err
	}
	b.policy.Logs = append(b.policy.Logs, items[0])
	return nil
}

func (b *policyParser) witness(items []string) error {
	if len(items) != 2 && len(items) != 3 {
		return errors.New("a witness line is: witness NAME KEY [URL]")
	}
	if len(b.policy.Witnesses) == MaxWitnesses {
		return fmt.Errorf("there are more than %d witnesses", MaxWitnesses)
	}
	if err := b.free(items[0]); err != nil {
		return err
	}
	key, err := cosignatureKey(items[1])
	if err != nil {
		return fmt.Errorf("witness %q: %w", items[0], err)
	}
	if err := b.once("witness", items[1]); err != nil {
		return err
	}
	// Names are octets to the policy, but texts to whom they are shown.
	w := Witness{Name: strings.ToValidUTF8(items[0], "\ufffd"), Key: key}
	if len(items) == 3 {
		if w.URL, err = witnessURL(items[2]); err != nil {
			return fmt.Errorf("witness %q: %w", items[0], err)
		}
	}
	b.names[items[0]] = &component{witness: len(b.policy.Witnesses), threshold: 1}
	b.policy.Witnesses = append(b.policy.Witnesses, w)
	return nil
}

func (b *policyParser) group(items []string) error {
	if len(items) < 3 {
		return errors.New("a group line is: group NAME all|any|NUMBER MEMBER…")
	}
	if b.groups++; b.groups > MaxGroups {
		return fmt.Errorf("there are more than %d groups", MaxGroups)
	}
	name, threshold, members := items[0], items[1], items[2:]
	if err := b.free(name); err != nil {
		return err
	}
	group := &component{}
	switch threshold {
	case "all":
		group.threshold = len(members)
	case "any":
		group.threshold = 1
	default:
		n, err := strconv.ParseUint(threshold, 10, 16)
		if err != nil || n < 1 || n > uint64(len(members)) {
			return fmt.Errorf("the threshold of group %q must be all, any or a number from 1 to %d, not %q", name, len(members), threshold)
		}
		group.threshold = int(n)
	}
	for _, member := range members {
		found, ok := b.names[member]
		if !ok {
			return fmt.Errorf("member %q of group %q is no witness or group of a line before", member, name)
		}
		if b.members[member] {
			return fmt.Errorf("%q is a member of a group already: it would count twice", member)
		}
		b.members[member] = true
		group.members = append(group.members, *found)
	}
	b.names[name] = group
	return nil
}

func (b *policyParser) setQuorum(items []string) error {
	if len(items) != 1 {
		return errors.New("a quorum line is: quorum NAME")
	}
	if b.quorum != nil {
		return errors.New("there is a quorum line already")
	}
	if items[0] == none {
		b.quorum = &component{}
		return nil
	}
	found, ok := b.names[items[0]]
	if !ok {
		return fmt.Errorf("quorum %q is no witness or group of a line before", items[0])
	}
	b.quorum = found
	return nil
}

// free holds a name to be new.
func (b *policyParser) free(name string) error {
	if name == none {
		return errors.New("the name none has a meaning of its own")
	}
	if _, taken := b.names[name]; taken {
		return fmt.Errorf("there is a %q already", name)
	}
	return nil
}

// once holds a public key, whatever its name and type, to be that of one log and one
// witness at most.
func (b *policyParser) once(of, vkey string) error {
	_, material, err := splitKey(vkey)
	if err != nil {
		return err
	}
	id := of + string(material[1:])
	if b.keys[id] {
		return fmt.Errorf("the public key %q is there already, maybe by another name", vkey)
	}
	b.keys[id] = true
	return nil
}

// splitKey takes a public key apart (C2SP signed-note, verifier keys). The material
// is not empty and begins with the signature type.
func splitKey(vkey string) (name string, material []byte, err error) {
	name, rest, _ := strings.Cut(vkey, "+")
	_, key, ok := strings.Cut(rest, "+")
	material, err = base64.StdEncoding.DecodeString(key)
	if !ok || err != nil || len(material) == 0 {
		return "", nil, errors.New("the public key is not valid")
	}
	return name, material, nil
}

// cosignatureKey reads the public key of a witness. Unlike the library alone it holds
// the key to its hash, and to the types that are made for cosignatures.
func cosignatureKey(vkey string) (note.Verifier, error) {
	name, material, err := splitKey(vkey)
	if err != nil {
		return nil, fmt.Errorf("the public key %q is not valid", vkey)
	}
	if material[0] != algCosignature && material[0] != algMLDSA {
		return nil, fmt.Errorf("the public key %q is not for cosignatures: its type is %d, not %d (Ed25519) or %d (ML-DSA-44)", vkey, material[0], algCosignature, algMLDSA)
	}
	v, err := f_note.NewVerifierForCosignatureV1(vkey)
	sum := sha256.Sum256(append([]byte(name+"\n"), material...))
	if err != nil || vkey != fmt.Sprintf("%s+%08x+%s", name, binary.BigEndian.Uint32(sum[:]), base64.StdEncoding.EncodeToString(material)) {
		return nil, fmt.Errorf("the public key %q is not valid", vkey)
	}
	return v, nil
}

// witnessURL reads a submission prefix.
func witnessURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("the URL %q must be https://HOST[/PATH], or http://", text)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}
