import { defineConfig } from "drizzle-kit"

/** `drizzle-kit generate` in this folder; what generates nothing is in step with Tables.ts (a test checks it). */
export default defineConfig({
  dialect: "postgresql",
  schema: "./src/Tables.ts",
  out: "./migrations"
})
