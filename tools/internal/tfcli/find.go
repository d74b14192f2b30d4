// Package tfcli finds a Terraform or OpenTofu program and runs it with the
// provider built from this tree, without asking a registry.
package tfcli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hc-install/product"
	"github.com/hashicorp/hc-install/releases"
)

const (
	// FetchedVersion is the Terraform that is fetched when the machine has none.
	FetchedVersion = "1.11.4"
	// MinimumVersion is the oldest Terraform or OpenTofu that can be used: the
	// first with write-only attributes, which carry private keys.
	MinimumVersion = "1.11.0"

	fetchTimeout   = 5 * time.Minute
	versionTimeout = 30 * time.Second
)

// Variables that name the program to use, in this order.
var binaryVariables = []string{"AUDITLB_TERRAFORM", "TF_ACC_TERRAFORM_PATH"}

// ErrNotFound says that the machine has no Terraform or OpenTofu that can be used.
var ErrNotFound = errors.New("no terraform or tofu found")

// Find returns the absolute path of a Terraform or OpenTofu program: what
// AUDITLB_TERRAFORM or TF_ACC_TERRAFORM_PATH names, else the first of
// terraform and tofu on the PATH, else one that Fetch left in fetchedDir. A
// program older than [MinimumVersion] is passed over, but if a variable names
// it, that is an error. The error is [ErrNotFound] when there is none.
func Find(ctx context.Context, fetchedDir string) (string, error) {
	for _, name := range binaryVariables {
		if path := os.Getenv(name); path != "" {
			usable, err := usable(ctx, path)
			if err != nil {
				return "", fmt.Errorf("%s: %w", name, err)
			}
			return usable, nil
		}
	}
	var reasons []error
	for _, candidate := range []string{"terraform", "tofu", fetchedPath(fetchedDir)} {
		path, err := usable(ctx, candidate)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, exec.ErrNotFound) && !errors.Is(err, os.ErrNotExist) {
			reasons = append(reasons, err)
		}
	}
	return "", errors.Join(append([]error{ErrNotFound}, reasons...)...)
}

// Fetch downloads Terraform [FetchedVersion] into dir, checks its signature and
// returns its path.
func Fetch(ctx context.Context, dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	release := &releases.ExactVersion{
		Product:    product.Terraform,
		Version:    version.Must(version.NewVersion(FetchedVersion)),
		InstallDir: dir,
		Timeout:    fetchTimeout,
	}
	path, err := release.Install(ctx)
	if err != nil {
		return "", fmt.Errorf("fetch terraform %s: %w", FetchedVersion, err)
	}
	return filepath.Abs(path)
}

func fetchedPath(dir string) string {
	path, err := filepath.Abs(filepath.Join(dir, product.Terraform.BinaryName()))
	if err != nil {
		return dir
	}
	return path
}

// usable returns the absolute path of a program that is new enough.
func usable(ctx context.Context, candidate string) (string, error) {
	path, err := exec.LookPath(candidate)
	if err != nil {
		return "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "version", "-json")
	cmd.Env = cleanEnv(os.Environ())
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s version: %w", path, err)
	}
	var answer struct {
		Version string `json:"terraform_version"` // OpenTofu uses the same name.
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return "", fmt.Errorf("%s version -json: %w", path, err)
	}
	got, err := version.NewVersion(answer.Version)
	if err != nil {
		return "", fmt.Errorf("%s version -json: %w", path, err)
	}
	if got.Core().LessThan(version.Must(version.NewVersion(MinimumVersion))) {
		return "", fmt.Errorf("%s is version %s; at least %s is needed", path, got, MinimumVersion)
	}
	return path, nil
}
