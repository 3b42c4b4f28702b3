package functions

import "math"

// statistics are the distributions' functions. Their last digits may differ from Trino's, whose library computes them another way.
func statistics(d definer) {
	d.failing("loch_normal_cdf(double, double, double) double", func(a Row, r *Result) error {
		mean, deviation, x := a.At(0).Double(), a.At(1).Double(), a.At(2).Double()
		if !(deviation > 0) {
			return errorf("standardDeviation must be > 0")
		}
		r.Double(0.5 * (1 + math.Erf((x-mean)/(deviation*math.Sqrt2))))
		return nil
	})
	d.failing("loch_inverse_normal_cdf(double, double, double) double", func(a Row, r *Result) error {
		mean, deviation, p := a.At(0).Double(), a.At(1).Double(), a.At(2).Double()
		if !(p > 0 && p < 1) {
			return errorf("p must be 0 > p > 1")
		}
		if !(deviation > 0) {
			return errorf("sd must be > 0")
		}
		r.Double(mean + deviation*math.Sqrt2*math.Erfinv(2*p-1))
		return nil
	})
	d.failing("loch_beta_cdf(double, double, double) double", func(a Row, r *Result) error {
		alpha, beta, x := a.At(0).Double(), a.At(1).Double(), a.At(2).Double()
		if !(x >= 0 && x <= 1) {
			return errorf("value must be 0 >= v >= 1")
		}
		if !(alpha > 0 && beta > 0) {
			return errorf("a, b must be > 0")
		}
		r.Double(betaRegularized(x, alpha, beta))
		return nil
	})
	d.failing("loch_t_cdf(double, double) double", func(a Row, r *Result) error {
		x, freedom := a.At(0).Double(), a.At(1).Double()
		if !(freedom > 0) {
			return errorf("df must be greater than 0")
		}
		r.Double(studentCDF(x, freedom))
		return nil
	})
	d.failing("loch_t_pdf(double, double) double", func(a Row, r *Result) error {
		x, n := a.At(0).Double(), a.At(1).Double()
		if !(n > 0) {
			return errorf("df must be greater than 0")
		}
		upper, _ := math.Lgamma((n + 1) / 2)
		lower, _ := math.Lgamma(n / 2)
		r.Double(math.Exp(upper - lower - 0.5*(math.Log(math.Pi)+math.Log(n)) - (n+1)/2*math.Log1p(x*x/n)))
		return nil
	})
	for name, sign := range map[string]float64{"lower": -1, "upper": 1} {
		d.failing("loch_wilson_interval_"+name+"(bigint, bigint, double) double", func(a Row, r *Result) error {
			successes, trials, z := a.At(0).Int(), a.At(1).Int(), a.At(2).Double()
			switch {
			case successes < 0:
				return errorf("number of successes must not be negative")
			case trials <= 0:
				return errorf("number of trials must be positive")
			case successes > trials:
				return errorf("number of successes must not be larger than number of trials")
			case !(z >= 0):
				return errorf("z-score must not be negative")
			}
			s, n := float64(successes), float64(trials)
			p := s / n
			r.Double((p + z*z/(2*n) + sign*z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))) / (1 + z*z/n))
			return nil
		})
	}
}

func studentCDF(x, freedom float64) float64 {
	if x == 0 {
		return 0.5
	}
	half := 0.5 * betaRegularized(freedom/(freedom+x*x), freedom/2, 0.5)
	if x < 0 {
		return half
	}
	return 1 - half
}

// betaRegularized is the regularized incomplete beta function I_x(a, b), by its continued fraction where that converges fast
// (https://dlmf.nist.gov/8.17, 8.17.22), and by the symmetry in x elsewhere.
func betaRegularized(x, a, b float64) float64 {
	switch {
	case math.IsNaN(x):
		return x
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2):
		return 1 - betaRegularized(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(a*math.Log(x)+b*math.Log1p(-x)-(la+lb-lab)) / a
	// Lentz's way of evaluating it from the front.
	const tiny, enough = 1e-300, 1e-16
	f, c, e := 1.0, 1.0, 0.0
	for i := range 10_000 {
		m := float64(i / 2)
		d := 1.0
		switch {
		case i == 0:
		case i%2 == 0:
			d = m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		default:
			d = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		}
		if e = 1 + d*e; math.Abs(e) < tiny {
			e = tiny
		}
		e = 1 / e
		if c = 1 + d/c; math.Abs(c) < tiny {
			c = tiny
		}
		f *= c * e
		if math.Abs(1-c*e) < enough {
			break
		}
	}
	return front * (f - 1)
}
