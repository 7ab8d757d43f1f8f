import { Schema } from "effect"

/** NATS could not be reached, or refused. Whoever meets it tries again: messages are only ever a hint or a repeat. */
export class BusError extends Schema.TaggedError<BusError>()("BusError", {
  operation: Schema.Literals(["connect", "publish", "consume", "ack", "manage", "read"]),
  cause: Schema.Defect()
}) {
  override get message(): string {
    const { cause } = this
    return cause instanceof Error ? `${this.operation}: ${cause.message}` : this.operation
  }
}
