package proxy

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// onCPU calls f on a thread that is bound to a processor, so that the processes
// that f starts are bound to it too; -1 binds nothing.
func onCPU(cpu int, f func() error) error {
	if cpu < 0 {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("read the processors of a thread: %w", err)
	}
	if err := bind(0, cpu); err != nil {
		return err
	}
	err := f()
	if restored := unix.SchedSetaffinity(0, &before); restored != nil && err == nil {
		err = fmt.Errorf("unbind a thread: %w", restored)
	}
	return err
}

// BindSelf binds this process, and what it starts from now on, to a processor.
func BindSelf(cpu int) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		if err := bind(id, cpu); err != nil {
			return err
		}
	}
	return nil
}

// bind binds a thread by its id; 0 is the calling one.
func bind(thread, cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(thread, &set); err != nil {
		return fmt.Errorf("bind to processor %d: %w", cpu, err)
	}
	return nil
}
