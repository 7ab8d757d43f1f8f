import fc from "fast-check"

/** The short suite draws the same samples at every run, so that none is red by chance; the long one draws others each time. */
if (process.env["LONG"] !== "1") fc.configureGlobal({ seed: 1 })
