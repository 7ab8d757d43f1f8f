import { randomFilmTests } from "./RandomFilms.ts"

randomFilmTests({ films: 300, clips: 5 })
