// Package browsertest has nothing but tests: they use the console as people do, in a real
// Chromium, before a real runtime.
package browsertest
