import { Schema } from "effect"

/** Instants on the wire: RFC 3339 text. They come from Postgres' clock. */
export const Instant = Schema.DateTimeUtcFromString
export type Instant = typeof Instant.Type

export const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
export const Positive = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
/** Seconds within media, decimal, from the first displayed frame. */
export const Seconds = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** An exact number of whole microseconds: how stored specs say media time. Never floating-point seconds. */
export const Micros = Schema.Int.pipe(Schema.brand("Micros"))
export type Micros = typeof Micros.Type

/** Seconds as a person or a client writes them → the nearest whole microsecond. */
export const microsOf = (seconds: number): Micros => Micros.make(Math.round(seconds * 1_000_000))
export const secondsOf = (micros: number): number => micros / 1_000_000

/** A positive fraction: frame rates (frames per second), time bases (seconds per tick), aspect ratios. */
export const Rational = Schema.Struct({ num: Positive, den: Positive })
export type Rational = typeof Rational.Type
export const ratio = (num: number, den = 1): Rational => ({ num, den })
export const toNumber = (r: Rational): number => r.num / r.den
