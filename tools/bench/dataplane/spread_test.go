package main

import (
	"slices"
	"testing"
)

func TestTheSpreadIsTheMiddleHalf(t *testing.T) {
	for _, test := range []struct {
		name   string
		values []float64
		want   spread
	}{
		{"one", []float64{7}, spread{7, 7, 7}},
		{"two", []float64{2, 1}, spread{1.5, 1.25, 1.75}},
		{"odd", []float64{5, 1, 4, 2, 3}, spread{3, 2, 4}},
		{"one of them far off", []float64{1, 1000, 2, 3, 2}, spread{2, 2, 3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := slices.Clone(test.values)
			if got := spreadOf(test.values); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if !slices.Equal(test.values, before) {
				t.Errorf("the values were put in another order: %v", test.values)
			}
		})
	}
}

func TestRatiosAreOfEachRound(t *testing.T) {
	// In the second round the machine was slow: both took ten times as long.
	got := ratios([]float64{1, 20, 1}, []float64{2, 20, 1})
	if want := []float64{0.5, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
