// Package procfs reads CPU time and memory of groups of processes, and how busy
// the machine is, from Linux's /proc.
package procfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of CPU times in /proc: USER_HZ, which is 100 on every
// architecture that Go runs on.
const tick = time.Second / 100

// Group is a process group by its id: a server and all its workers, as long as
// none of them began a group of its own.
type Group int

// CPU is the time that the group's processes have computed so far, in user and
// kernel mode. What a process used that has ended is in it only until its parent
// has waited for it.
func (g Group) CPU() (time.Duration, error) {
	processes, err := g.processes()
	var sum time.Duration
	for _, p := range processes {
		sum += p.cpu
	}
	return sum, err
}

// Resident is the memory of the group's processes that is in RAM, in bytes. What
// they share counts once for each.
func (g Group) Resident() (int64, error) {
	processes, err := g.processes()
	var sum int64
	for _, p := range processes {
		sum += p.resident
	}
	return sum, err
}

// PIDs are the group's processes.
func (g Group) PIDs() ([]int, error) {
	processes, err := g.processes()
	var pids []int
	for _, p := range processes {
		pids = append(pids, p.pid)
	}
	return pids, err
}

// processes fails if the group has none.
func (g Group) processes() ([]process, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var members []process
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has ended since
		}
		if err != nil {
			return nil, err
		}
		p, err := parseProcess(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if p.group == g {
			members = append(members, p)
		}
	}
	if len(members) == 0 {
		return nil, fmt.Errorf("no process is in group %d", g)
	}
	return members, nil
}

// process is what /proc/PID/stat says.
type process struct {
	pid      int
	group    Group
	cpu      time.Duration
	resident int64
}

// Fields of proc_pid_stat(5), counted from 1.
const (
	fieldState = 3 // the first after the command's name
	fieldGroup = 5
	fieldUtime = 14
	fieldStime = 15
	fieldRSS   = 24
)

func parseProcess(text string) (process, error) {
	// The name stands in parentheses and may hold spaces and parentheses itself.
	head, tail := strings.Index(text, " ("), strings.LastIndex(text, ") ")
	if head < 0 || tail < head {
		return process{}, fmt.Errorf("no name in parentheses in %q", text)
	}
	fields := strings.Fields(text[tail+1:])
	if len(fields) <= fieldRSS-fieldState {
		return process{}, fmt.Errorf("%d fields after the name are too few", len(fields))
	}
	numbers := map[int]int64{}
	for _, n := range []int{fieldGroup, fieldUtime, fieldStime, fieldRSS} {
		value, err := strconv.ParseInt(fields[n-fieldState], 10, 64)
		if err != nil {
			return process{}, fmt.Errorf("field %d: %w", n, err)
		}
		numbers[n] = value
	}
	pid, err := strconv.Atoi(text[:head])
	if err != nil {
		return process{}, fmt.Errorf("field 1: %w", err)
	}
	return process{
		pid:      pid,
		group:    Group(numbers[fieldGroup]),
		cpu:      time.Duration(numbers[fieldUtime]+numbers[fieldStime]) * tick,
		resident: numbers[fieldRSS] * int64(os.Getpagesize()),
	}, nil
}
