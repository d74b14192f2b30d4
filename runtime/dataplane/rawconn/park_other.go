//go:build !linux

package rawconn

import "errors"

type parking struct{}

func (*Poller) startParking()    {}
func (*Poller) stopParking()     {}
func (*Poller) park(*Conn) error { return errors.ErrUnsupported }
func (*Poller) unpark(*Conn)     {}
