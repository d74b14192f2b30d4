package lb

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

var hostPattern = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$`)

// checkHost accepts an IP address or a DNS name.
func checkHost(host string) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Zone() == "" || isDNSName(host) {
		return ""
	}
	return shown(host) + " must be an IP address or a DNS name"
}

func isDNSName(host string) bool { return len(host) <= 253 && hostPattern.MatchString(host) }

// checkHostPort holds a member's address to host:port. Only here an IPv6 address
// may have a zone: it is about this machine.
func checkHostPort(s string) string {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return shown(s) + " must be host:port, such as 10.0.0.7:8080, [::1]:8080 or app.internal:8080"
	}
	if !isPort(port) {
		return fmt.Sprintf("port %s must be a number between 1 and 65535", shown(port))
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	return checkHost(host)
}

// SourceOf is what is counted as one source of calls: an IP address, of IPv6 the network
// that one customer has. What is no address is its own source.
func SourceOf(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	if addr = addr.Unmap(); addr.Is6() {
		if prefix, err := addr.WithZone("").Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return addr.String()
}

// IsLoopback reports whether a host, without a port or brackets, is this machine
// by its very name, so that what is said to it crosses no network. No other name
// is looked up.
func IsLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func isPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && 1 <= n && n <= 65535 && strconv.Itoa(n) == s
}

// checkAuthority accepts what a Host header may say (RFC 9110 §7.2): a host,
// IPv6 addresses in brackets, with or without a port.
func checkAuthority(s string) string {
	host, isValid := s, true
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, isValid = s[:i], isPort(s[i+1:])
	}
	inside, bracketed := strings.CutPrefix(host, "[")
	inside, closed := strings.CutSuffix(inside, "]")
	isIPv6 := strings.Contains(inside, ":")
	if !isValid || bracketed != isIPv6 || closed != isIPv6 || checkHost(inside) != "" {
		return shown(s) + " must be a host with or without a port, such as app.example.com, app.example.com:8080 or [::1]:8080"
	}
	return ""
}

// canonicalPrefixes brings networks into the form in which netip writes them,
// without host bits, sorted. What is no network stays, for validation to find.
func canonicalPrefixes(networks []string) []string {
	out := make([]string, len(networks))
	for i, s := range networks {
		out[i] = s
		if p, err := netip.ParsePrefix(s); err == nil {
			out[i] = unmap(p).Masked().String()
		}
	}
	return sortedSet(out)
}

// unmap turns a network of IPv4-mapped IPv6 addresses into the IPv4 network
// that it stands for: addresses of clients are compared unmapped.
func unmap(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

func checkPrefixes(c checker, networks []string) {
	checkCount(c, len(networks), MaxCIDRs, "networks")
	for i, s := range networks {
		if _, err := netip.ParsePrefix(s); err != nil {
			c.index(i).fail("%s must be a network in CIDR notation, such as 10.0.0.0/8, 192.0.2.7/32 or 2001:db8::/32", shown(s))
		}
	}
}
