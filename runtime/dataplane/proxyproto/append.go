package proxyproto

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Version and command, address family and transport of version 2 (§2.2).
const (
	commandLocal = 0x20
	commandProxy = 0x21

	unspecified = 0x00
	tcpOverIPv4 = 0x11
	tcpOverIPv6 = 0x21
)

// Append appends the header that tells a member who the client is and which address
// it connected to. Both are written as IPv6 addresses unless both are IPv4. Nothing
// is appended for [lb.ProxyOff].
func Append(dst []byte, version lb.ProxyProtocol, client, local netip.AddrPort) []byte {
	from, to := client.Addr().Unmap(), local.Addr().Unmap()
	isIPv4 := from.Is4() && to.Is4()
	if !isIPv4 {
		// As16 also loses a zone, for which there is no place.
		from, to = netip.AddrFrom16(from.As16()), netip.AddrFrom16(to.As16())
	}
	switch version {
	case lb.ProxyV1:
		family := "TCP6 "
		if isIPv4 {
			family = "TCP4 "
		}
		dst = append(append(dst, prefixV1...), family...)
		dst = append(from.AppendTo(dst), ' ')
		dst = append(to.AppendTo(dst), ' ')
		dst = append(strconv.AppendUint(dst, uint64(client.Port()), 10), ' ')
		dst = append(strconv.AppendUint(dst, uint64(local.Port()), 10), "\r\n"...)
	case lb.ProxyV2:
		dst = append(dst, prefixV2...)
		if isIPv4 {
			a, b := from.As4(), to.As4()
			dst = append(dst, commandProxy, tcpOverIPv4, 0, 2*(4+2))
			dst = append(append(dst, a[:]...), b[:]...)
		} else {
			a, b := from.As16(), to.As16()
			dst = append(dst, commandProxy, tcpOverIPv6, 0, 2*(16+2))
			dst = append(append(dst, a[:]...), b[:]...)
		}
		dst = binary.BigEndian.AppendUint16(dst, client.Port())
		dst = binary.BigEndian.AppendUint16(dst, local.Port())
	}
	return dst
}

// AppendLocal appends the header of a connection that is no client's, such as a health
// check's. Nothing is appended for [lb.ProxyOff].
func AppendLocal(dst []byte, version lb.ProxyProtocol) []byte {
	switch version {
	case lb.ProxyV1:
		dst = append(dst, prefixV1+"UNKNOWN\r\n"...)
	case lb.ProxyV2:
		dst = append(append(dst, prefixV2...), commandLocal, unspecified, 0, 0)
	}
	return dst
}
