// Package oidc turns ID tokens of CI systems and people (OpenID Connect Core
// 1.0, §2) into logins. A token is believed when a configured issuer signed it,
// for one of our audiences, for now; what its holder may do is for the issuer's
// block to say, in CEL over the token's claims. A trusted issuer alone gives no
// rights.
//
// An issuer's discovery document and keys are fetched when the first token asks
// for them, never at the start, so an issuer that is down holds nothing up:
//
//   - Keys are fresh for as long as the issuer says (Cache-Control), at least 10
//     seconds and at most 10 minutes. A key that the issuer withdraws is
//     accepted until then.
//   - A token signed by a key that isn't among fresh ones makes us fetch again,
//     once in 10 seconds at most.
//   - While an issuer can't be reached, tokens signed by a key that we know go on
//     being accepted until an hour after that key was last fetched. All others
//     are neither accepted nor rejected: the answer is [Unavailable].
package oidc
