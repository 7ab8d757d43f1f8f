import { damageTests } from "./Damaged.ts"

damageTests({ damaged: ["Matroska", "AVI with MPEG-4", "MP4"], cut: false })
