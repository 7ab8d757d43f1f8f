import { damageTests } from "./Damaged.ts"

damageTests({ damaged: ["MPEG-TS"], cut: true })
