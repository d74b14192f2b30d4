package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc: USER_HZ, which is 100 on every
// architecture that Go runs on.
const tick = time.Second / 100

// processCPU is the CPU time that a process has used so far, 0 where there is
// no /proc.
func processCPU(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// proc_pid_stat(5): the second field is in parentheses and may hold spaces;
	// utime and stime are fields 14 and 15.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	const utime = 14 - 3
	if len(fields) <= utime+1 {
		return 0
	}
	return ticks(fields[utime : utime+2])
}

// busy tells how much of the machine was used since it was started.
type busy struct{ working, all time.Duration }

func startBusy() busy {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return busy{}
	}
	// proc_stat(5): user nice system idle iowait irq softirq steal …
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	const steal = 8
	if len(fields) <= steal {
		return busy{}
	}
	const idle, iowait = 4, 5
	all := ticks(fields[1 : steal+1])
	return busy{working: all - ticks(fields[idle:iowait+1]), all: all}
}

// others is the share of the machine that was used by others than the
// processes whose CPU time is given, 0 to 1.
func (b busy) others(own time.Duration) float64 {
	now := startBusy()
	all := now.all - b.all
	if all <= 0 {
		return 0
	}
	return max(0, float64(now.working-b.working-own)/float64(all))
}

func ticks(fields []string) time.Duration {
	var sum time.Duration
	for _, field := range fields {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		sum += time.Duration(n) * tick
	}
	return sum
}
