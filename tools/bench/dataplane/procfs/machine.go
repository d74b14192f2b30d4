package procfs

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Machine is CPU time of all processors together since the machine started.
type Machine struct {
	// Working is what programs and the kernel on their behalf used, and what the
	// hypervisor gave to other machines. Handling of interrupts is left out: with
	// traffic on loopback it is the traffic's own.
	Working time.Duration
	// All is Working, interrupts and idle time.
	All time.Duration
}

// ReadMachine reads /proc/stat.
func ReadMachine() (Machine, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Machine{}, err
	}
	return parseMachine(string(text))
}

// parseMachine reads the first line of proc_stat(5): cpu user nice system idle
// iowait irq softirq steal …; guest times are part of user and nice.
func parseMachine(text string) (Machine, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	const user, nice, system, steal = 1, 2, 3, 8
	if len(fields) <= steal || fields[0] != "cpu" {
		return Machine{}, fmt.Errorf("/proc/stat begins with %q", line)
	}
	var m Machine
	for i, field := range fields[:steal+1] {
		if i == 0 {
			continue
		}
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return Machine{}, fmt.Errorf("/proc/stat: %w", err)
		}
		m.All += time.Duration(n) * tick
		switch i {
		case user, nice, system, steal:
			m.Working += time.Duration(n) * tick
		}
	}
	return m, nil
}

// Others is the share of the machine, 0 to 1, that was used between two readings
// by others than those whose CPU time is given.
func Others(before, after Machine, own time.Duration) float64 {
	all := after.All - before.All
	if all <= 0 {
		return 0
	}
	return max(0, float64(after.Working-before.Working-own)/float64(all))
}

// Own is the CPU time of this process and of its children that have ended and
// were waited for.
func Own() (time.Duration, error) {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var usage syscall.Rusage
		if err := syscall.Getrusage(who, &usage); err != nil {
			return 0, fmt.Errorf("getrusage: %w", err)
		}
		sum += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	return sum, nil
}
