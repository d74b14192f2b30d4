package http1

// ValidAuthority reports whether a is a host with an optional port (RFC 9110 §7.2)
// as servers have them: a DNS name, in which underscores are allowed, an IPv4
// address or an IPv6 address in brackets; then, if there is a colon, a number up to
// 65535, or nothing (RFC 3986 §3.2.3).
func ValidAuthority[T text](a T) bool {
	_, ok := cutPort(a)
	return ok
}

// cutPort returns the port of an authority, empty if it has none; not ok if the
// authority is not valid.
func cutPort[T text](a T) (port T, ok bool) {
	i := 0
	if len(a) > 0 && a[0] == '[' {
		for i < len(a) && a[i] != ']' {
			i++
		}
		if i == len(a) || !validIPv6(a[1:i]) {
			return port, false
		}
		i++
	} else {
		for i < len(a) && class[a[i]]&hostByte != 0 {
			i++
		}
	}
	if i == 0 {
		return port, false
	}
	if i < len(a) {
		if a[i] != ':' {
			return port, false
		}
		port = a[i+1:]
	}
	return port, len(port) == 0 || validNumber(port, 5, 65535)
}

// validNumber reports whether s is a decimal number of at most so many digits and no
// larger than limit.
func validNumber[T text](s T, digits, limit int) bool {
	if len(s) > digits || !consists(s, digitByte) {
		return false
	}
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n <= limit
}

// validIPv6 reports whether a is an IPv6 address without zone (RFC 3986 §3.2.2, RFC
// 4291 §2.2). It is not netip's because that allocates its errors.
func validIPv6[T text](a T) bool {
	groups, compressed, i := 0, false, 0
	if len(a) >= 2 && a[0] == ':' && a[1] == ':' {
		compressed, i = true, 2
	}
	for i < len(a) {
		start := i
		for i < len(a) && class[a[i]]&hexByte != 0 {
			i++
		}
		if i < len(a) && a[i] == '.' {
			if !validIPv4(a[start:]) {
				return false
			}
			groups += 2
			break
		}
		if i == start || i-start > 4 {
			return false
		}
		groups++
		if i == len(a) {
			break
		}
		if a[i] != ':' || i+1 == len(a) {
			return false
		}
		i++
		if a[i] == ':' {
			if compressed {
				return false
			}
			compressed = true
			i++
		}
	}
	return groups == 8 && !compressed || groups < 8 && compressed
}

// validIPv4 reports whether a is an IPv4 address in the form with three dots and no
// leading zeros.
func validIPv4[T text](a T) bool {
	octets := 0
	for start, i := 0, 0; i <= len(a); i++ {
		if i < len(a) && a[i] != '.' {
			continue
		}
		octet := a[start:i]
		if !validNumber(octet, 3, 255) || len(octet) > 1 && octet[0] == '0' {
			return false
		}
		octets++
		start = i + 1
	}
	return octets == 4
}
