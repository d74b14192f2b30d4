// Package client speaks the management API: one method for each call, with
// retries that can't change anything twice. The Terraform provider and the
// command line both stand on it.
package client
