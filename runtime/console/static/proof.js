// Checks a proof of an entry (C2SP tlog-proof) with nothing but a public key: its parts are
// read strictly, everything that is said to follow is computed anew, and each step is told
// with its values. It asks nobody, and shows nothing: see evidence.js.

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// Bounds of what is read.
export const maxProofBytes = 16 << 20;
const maxPath = 63;
const maxRotations = 64;
const maxSignatures = 100;
const maxKeyBytes = 1000;
const maxDepth = 100;

const version = "c2sp.org/tlog-proof@v1";

// ProofError is a text that is not what it should be.
export class ProofError extends Error {}

function must(condition, message) {
  if (!condition) throw new ProofError(message);
}

export const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

export function base64(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

function unbase64(text, what) {
  must(text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text), `${what} is not base64`);
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  must(base64(bytes) === text, `${what} is not base64 as it is written`);
  return bytes;
}

function unhex(text, what) {
  must(/^([0-9a-f]{2})*$/.test(text), `${what} is not hexadecimal`);
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function decimal(text, what) {
  must(/^(0|[1-9][0-9]{0,15})$/.test(text) && Number.isSafeInteger(Number(text)), `${what} is not a number`);
  return Number(text);
}

function decode(bytes, what) {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ProofError(`${what} is not UTF-8`);
  }
}

export const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

function join(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

export const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));

// RFC 6962 §2.1: leaves and nodes are told apart by a first byte.
export const leafHash = (leaf) => sha256(new Uint8Array([0]), leaf);
export const nodeHash = (left, right) => sha256(new Uint8Array([1]), left, right);

// skip returns where the JSON value that begins at i ends (RFC 8259).
function skip(text, i, depth = 0) {
  must(depth < maxDepth, "the JSON is nested too deeply");
  const c = text[i];
  if (c === '"') return skipString(text, i);
  if (c === "{" || c === "[") {
    const close = c === "{" ? "}" : "]";
    i++;
    if (text[i] === close) return i + 1;
    for (;;) {
      if (c === "{") {
        i = skipString(text, i);
        must(text[i] === ":", "the JSON is not well-formed");
        i++;
      }
      i = skip(text, i, depth + 1);
      if (text[i] === close) return i + 1;
      must(text[i] === ",", "the JSON is not well-formed");
      i++;
    }
  }
  const rest = /(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/y;
  rest.lastIndex = i;
  const found = rest.exec(text);
  must(found, "the JSON is not well-formed");
  return i + found[0].length;
}

function skipString(text, i) {
  must(text[i] === '"', "the JSON is not well-formed");
  for (i++; text[i] !== '"'; i++) {
    must(i < text.length && text.charCodeAt(i) >= 0x20, "the JSON is not well-formed");
    if (text[i] === "\\") i++;
  }
  return i + 1;
}

// members returns the members of a JSON object without spaces, byte for byte: what is hashed
// must not be written anew.
function members(text, names, what) {
  must(text[0] === "{" && text.length > 2, `${what} is not an object`);
  const out = {};
  for (let i = 1; ; i++) {
    let end = skipString(text, i);
    const name = text.slice(i + 1, end - 1);
    must(names.includes(name) && !Object.hasOwn(out, name) && text[end] === ":", `${what} has a member that does not belong there`);
    const from = end + 1;
    end = skip(text, from);
    out[name] = text.slice(from, end);
    parse(out[name], what);
    if (text[end] === "}") {
      must(end + 1 === text.length, `${what} goes on after its end`);
      return out;
    }
    must(text[end] === ",", `${what} is not well-formed`);
    i = end;
  }
}

function parse(text, what) {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProofError(`${what} is not JSON`);
  }
}

// parseProof reads a proof. That it reads well says nothing of whether it is true.
export function parseProof(bytes, nested = false) {
  must(bytes.length <= maxProofBytes, `it has more than ${maxProofBytes} bytes`);
  const text = decode(bytes, "the proof");
  const cut = text.indexOf("\n\n");
  must(cut > 0, "it has no checkpoint");
  const lines = text.slice(0, cut).split("\n");
  must(lines[0] === version, `it does not begin with ${version}`);
  must(lines.length >= 3 && lines[1].startsWith("extra "), "the extra line, which holds the entry, is missing");
  must(lines[2].startsWith("index "), "the index line is missing");
  must(lines.length - 3 <= maxPath, `its path has more than ${maxPath} hashes`);
  const proof = {
    seq: decimal(lines[2].slice(6), "its index"),
    path: lines.slice(3).map((line) => {
      const hash = unbase64(line, "a line of its path");
      must(hash.length === 32, "a line of its path is not a hash");
      return hash;
    }),
    checkpoint: text.slice(cut + 2),
    rotations: [],
  };
  const extra = members(decode(unbase64(lines[1].slice(6), "the extra line"), "the extra line"), ["leaf", "salt", "body", "rotations"], "the extra line");
  must(extra.leaf, "the extra line does not hold an entry");
  proof.leaf = encoder.encode(extra.leaf);
  proof.entry = parse(extra.leaf, "the entry");
  must(proof.entry !== null && typeof proof.entry === "object" && !Array.isArray(proof.entry), "the entry is not an object");
  if (extra.salt) {
    const salt = parse(extra.salt, "the salt");
    must(typeof salt === "string", "the salt is not a text");
    proof.salt = unhex(salt, "the salt");
  }
  if (extra.body) proof.body = encoder.encode(extra.body);
  if (extra.rotations) {
    const rotations = parse(extra.rotations, "the changes of key");
    must(!nested && Array.isArray(rotations) && rotations.length <= maxRotations && rotations.every((r) => typeof r === "string"), "the changes of key are not a list");
    proof.rotations = rotations.map((r) => parseProof(encoder.encode(r), true));
  }
  return proof;
}

// parseCheckpoint reads a signed checkpoint (C2SP tlog-checkpoint, signed-note).
export function parseCheckpoint(note) {
  must(!/[\u0000-\u0009\u000b-\u001f]/.test(note), "the checkpoint has control characters");
  const cut = note.lastIndexOf("\n\n");
  must(cut > 0 && note.endsWith("\n") && note.length > cut + 2, "the checkpoint is not signed");
  const text = note.slice(0, cut + 1);
  const lines = text.slice(0, -1).split("\n");
  must(lines.length >= 3 && lines.every((line) => line !== ""), "the checkpoint has fewer than three lines, or an empty one");
  const root = unbase64(lines[2], "the checkpoint's root");
  must(root.length === 32, "the checkpoint's root is not a hash");
  const signatures = note.slice(cut + 2, -1).split("\n").map((line) => {
    const parts = /^\u2014 ([^ +]+) ([^ ]+)$/u.exec(line);
    must(parts, "a signature of the checkpoint is not well-formed");
    const bytes = unbase64(parts[2], "a signature of the checkpoint");
    must(bytes.length >= 5, "a signature of the checkpoint is too short");
    return { name: parts[1], id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
  });
  must(signatures.length <= maxSignatures, "the checkpoint has too many signatures");
  return { origin: lines[0], size: decimal(lines[1], "the checkpoint's size"), root, text, signatures };
}

// parseKey reads a public key (C2SP signed-note): NAME+ID+KEY, whose id must be its own.
export async function parseKey(text) {
  must(text.length <= maxKeyBytes, "the key is too long");
  const parts = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text);
  must(parts, "the key is not of the form NAME+ID+KEY");
  const bytes = unbase64(parts[3], "the key");
  must(bytes.length === 33 && bytes[0] === 1, "the key is not one of Ed25519");
  const id = (await sha256(encoder.encode(parts[1]), new Uint8Array([10]), bytes)).subarray(0, 4);
  must(hex(id) === parts[2], `the key's id is ${hex(id)}, and it says ${parts[2]}: a letter is wrong`);
  return { text, name: parts[1], id, bytes: bytes.subarray(1) };
}

// supported says whether this browser can check Ed25519 signatures here.
export async function supported() {
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(32), { name: "Ed25519" }, false, ["verify"]);
    return true;
  } catch {
    return false;
  }
}

// signedBy reports whether a checkpoint has a valid signature by a key. Null: it has none that
// claims to be.
async function signedBy(checkpoint, key) {
  const claims = checkpoint.signatures.filter((s) => s.name === key.name && same(s.id, key.id));
  if (!claims.length || checkpoint.origin !== key.name) return null;
  const imported = await crypto.subtle.importKey("raw", key.bytes, { name: "Ed25519" }, false, ["verify"]);
  for (const claim of claims) {
    if (claim.signature.length !== 64 || !(await crypto.subtle.verify({ name: "Ed25519" }, imported, claim.signature, encoder.encode(checkpoint.text)))) return false;
  }
  return true;
}

// walk leads from an entry to the root (RFC 9162 §2.1.3.2) and returns the root, or null where
// the path is too short or too long, with the steps that were taken.
async function walk(seq, size, leaf, path) {
  let here = BigInt(seq);
  let last = BigInt(size) - 1n;
  let hash = leaf;
  const steps = [];
  if (seq >= size) return { root: null, steps };
  for (const sibling of path) {
    if (last === 0n) return { root: null, steps };
    const right = (here & 1n) === 1n || here === last;
    hash = right ? await nodeHash(sibling, hash) : await nodeHash(hash, sibling);
    steps.push({ sibling, left: right, hash });
    if (right) {
      while ((here & 1n) === 0n && here !== 0n) {
        here >>= 1n;
        last >>= 1n;
      }
    }
    here >>= 1n;
    last >>= 1n;
  }
  return { root: last === 0n ? hash : null, steps };
}

async function bodyMatches(proof) {
  if (!proof.body || proof.salt?.length !== 16) return false;
  return hex(await sha256(proof.salt, proof.body)) === proof.entry.body_digest;
}

// follow checks a change of key, and returns the key that it leads to, or null where no
// trusted key has signed it: it was before what is known.
async function follow(rotation, trusted) {
  const e = rotation.entry;
  must(e.type === "system" && e.resource === "log" && e.op === "rotate" && e.outcome === "ok" && e.seq === rotation.seq, `entry ${rotation.seq} changes no key`);
  must(await bodyMatches(rotation), `the body of the change of key in entry ${rotation.seq} is not its own`);
  const next = await parseKey(String(parse(decode(rotation.body, "the body"), "the body").after?.public_key ?? ""));
  if (trusted.some((key) => key.text === next.text)) return null;
  const checkpoint = parseCheckpoint(rotation.checkpoint);
  let known = false;
  for (const key of trusted) known ||= (await signedBy(checkpoint, key)) === true;
  if (!known) return null;
  const { root } = await walk(rotation.seq, checkpoint.size, await leafHash(rotation.leaf), rotation.path);
  must(root && same(root, checkpoint.root), `the change of key in entry ${rotation.seq} is not in the tree`);
  must((await signedBy(checkpoint, next)) === true, `the new key did not sign the change of key in entry ${rotation.seq}`);
  return next;
}

// check goes through a proof step by step. Every step is { id, ok, title, text, values }: ok is
// true, false, or null where there was nothing to check. A step that can't be taken because one
// before it failed is left out.
export async function check(bytes, keyText) {
  const steps = [];
  const step = (id, ok, title, text, values = []) => steps.push({ id, ok, title, text, values });
  let proof;
  let checkpoint;
  try {
    proof = parseProof(bytes);
    step("proof", true, "It is a proof", `It reads as a proof of entry ${proof.seq} (${version}).`, [["Size", `${bytes.length} bytes`], ["Hashes in its path", String(proof.path.length)]]);
  } catch (error) {
    return finish([{ id: "proof", ok: false, title: "It is a proof", text: told(error), values: [] }]);
  }

  const leaf = await leafHash(proof.leaf);
  const own = proof.entry.seq === proof.seq;
  step("entry", own, "The entry", own ? `Its bytes are those of entry ${proof.seq}. Their hash is where the path begins.` : `Its bytes say that they are entry ${proof.entry.seq}, and not ${proof.seq}.`,
    [["Entry", decode(proof.leaf, "the entry")], ["Leaf hash", base64(leaf)]]);

  try {
    checkpoint = parseCheckpoint(proof.checkpoint);
    step("checkpoint", true, "The checkpoint", `It says that the log ${checkpoint.origin} has ${checkpoint.size} entries, and what the root of their tree is.`,
      [["Checkpoint", proof.checkpoint], ["Root", base64(checkpoint.root)]]);
    const { root, steps: taken } = await walk(proof.seq, checkpoint.size, leaf, proof.path);
    const included = root !== null && same(root, checkpoint.root);
    step("path", included, "The path to the root",
      included ? `From the entry's hash the path of ${taken.length} ${taken.length === 1 ? "hash" : "hashes"} leads to the root that the checkpoint names: the entry is in that tree, at its place.`
        : root ? "The path leads to another root than the checkpoint's: the entry is not in that tree." : `A tree of ${checkpoint.size} entries has no such path from entry ${proof.seq}.`,
      [["Begins at", base64(leaf)], ...taken.map((t, i) => [`Step ${i + 1}, ${t.left ? "sibling on the left" : "sibling on the right"}`, `${base64(t.sibling)}\n→ ${base64(t.hash)}`]), ["The checkpoint's root", base64(checkpoint.root)]]);
  } catch (error) {
    step("checkpoint", false, "The checkpoint", told(error), [["Checkpoint", proof.checkpoint]]);
  }

  let key = null;
  try {
    key = await parseKey(keyText.trim());
    step("key", true, "The key", `It is an Ed25519 key of the log ${key.name}.`, [["Key", key.text], ["Its id, as computed", hex(key.id)]]);
  } catch (error) {
    step("key", false, "The key", told(error));
  }
  if (key && checkpoint) await checkSignature(step, proof, checkpoint, key);

  if (!proof.body) {
    step("body", null, "The body", "The proof has no body: it was erased. What the entry's header says is proved, what changed is not.");
  } else {
    const matches = await bodyMatches(proof);
    step("body", matches, "The body", matches ? "The hash of salt and body is the one that the entry names: this is what changed, byte for byte." : "The hash of salt and body is not the one that the entry names.",
      [["Salt", hex(proof.salt ?? new Uint8Array())], ["Body", decode(proof.body, "the body")], ["SHA-256 of both", hex(await sha256(proof.salt ?? new Uint8Array(), proof.body))], ["As the entry says", String(proof.entry.body_digest)]]);
  }
  return finish(steps, proof, checkpoint);
}

async function checkSignature(step, proof, checkpoint, first) {
  const trusted = [first];
  try {
    for (const rotation of proof.rotations) {
      const next = await follow(rotation, trusted);
      if (!next) continue;
      trusted.push(next);
      step("rotation", true, "A change of key", `In entry ${rotation.seq} the log changed its key, and both keys signed that.`, [["New key", next.text], ["Signed by both", rotation.checkpoint]]);
    }
  } catch (error) {
    step("rotation", false, "A change of key", told(error));
  }
  let signer = null;
  let claimed = false;
  for (const key of trusted) {
    const signed = await signedBy(checkpoint, key);
    if (signed) signer = key;
    if (signed === false) claimed = true;
  }
  const others = checkpoint.signatures.filter((s) => !trusted.some((key) => s.name === key.name && same(s.id, key.id)));
  const values = [["Signed text", checkpoint.text]];
  for (const s of checkpoint.signatures) values.push([`Signature of ${s.name}, key ${hex(s.id)}`, base64(s.signature)]);
  let text = "The key did not sign this checkpoint: there is no signature of its id.";
  if (checkpoint.origin !== first.name) text = `The checkpoint is of the log ${checkpoint.origin}, and the key of ${first.name}.`;
  else if (claimed) text = "A signature bears the key's id, and is not valid: the checkpoint is not what was signed.";
  else if (signer) text = `The key ${hex(signer.id)} signed exactly this checkpoint.` + (others.length ? ` ${others.length} further signatures, such as those of witnesses, are not checked here.` : "");
  step("signature", Boolean(signer) && !claimed, "The signature", text, values);
}

const told = (error) => (error instanceof ProofError ? `${error.message}.` : `It can't be checked: ${error.message}.`);

function finish(steps, proof = null, checkpoint = null) {
  const needed = ["proof", "entry", "checkpoint", "path", "key", "signature"];
  const ok = needed.every((id) => steps.some((s) => s.id === id)) && steps.every((s) => s.ok !== false);
  return { ok, steps, seq: proof?.seq, entry: proof?.entry, origin: checkpoint?.origin, size: checkpoint?.size };
}
