/** Student's t distribution, by the incomplete beta function (W. H. Press et al., "Numerical Recipes", 6.4). */

/** How likely a t at least so great is by chance, with so many degrees of freedom. */
export function upperTail(t: number, freedom: number): number {
  if (t < 0) return 1 - upperTail(-t, freedom);
  const x = freedom / (freedom + t * t);
  return incompleteBeta(x, freedom / 2, 0.5) / 2;
}

function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  // The fraction converges fast on this side only.
  if (x < (a + 1) / (a + b + 2)) return (front * fraction(x, a, b)) / a;
  return 1 - (front * fraction(1 - x, b, a)) / b;
}

/** Lentz's method. */
function fraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const kept = (value: number) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / kept(1 - ((a + b) * x) / (a + 1));
  let sum = d;
  for (let m = 1; m <= 300; m += 1) {
    for (const step of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 / kept(1 + step * d);
      c = kept(1 + step / c);
      sum *= d * c;
    }
    if (Math.abs(c * d - 1) < 1e-14) break;
  }
  return sum;
}

/** Lanczos' approximation. */
function logGamma(x: number): number {
  const coefficients = [
    76.18009172947146, -86.50532032941678, 24.01409824083091, -1.231739572450155, 0.001208650973866179,
    -0.000005395239384953,
  ];
  const base = x + 5.5;
  const series = coefficients.reduce((sum, coefficient, at) => sum + coefficient / (x + 1 + at), 1.000000000190015);
  return Math.log((2.5066282746310007 * series) / x) - (base - (x + 0.5) * Math.log(base));
}
