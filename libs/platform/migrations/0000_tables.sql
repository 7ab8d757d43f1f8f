CREATE TYPE "public"."export_status" AS ENUM('pending', 'processing', 'completed', 'failed', 'cancelled');--> statement-breakpoint
CREATE TABLE "attempts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"export_id" uuid NOT NULL,
	"user_id" text NOT NULL,
	"epoch" integer NOT NULL,
	"task" text NOT NULL,
	"kind" text NOT NULL,
	"node_id" text NOT NULL,
	"family" text,
	"error" jsonb NOT NULL,
	"log" text NOT NULL,
	"seconds" double precision NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "clip_versions" (
	"clip_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"user_id" text NOT NULL,
	"edits" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "clip_versions_clip_id_version_pk" PRIMARY KEY("clip_id","version"),
	CONSTRAINT "clip_versions_json" CHECK (jsonb_typeof("clip_versions"."edits") = 'object')
);
--> statement-breakpoint
CREATE TABLE "clips" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"project_id" uuid NOT NULL,
	"video_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "clips_tenant" UNIQUE("id","user_id"),
	CONSTRAINT "clips_position" CHECK ("clips"."position" >= 0),
	CONSTRAINT "clips_version" CHECK ("clips"."version" >= 1)
);
--> statement-breakpoint
CREATE TABLE "exports" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"project_id" uuid,
	"video_id" uuid,
	"segments" jsonb,
	"type" text NOT NULL,
	"delivery" text NOT NULL,
	"settings" jsonb NOT NULL,
	"priority" text DEFAULT 'normal' NOT NULL,
	"node_labels" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"idempotency_key" text,
	"request_digest" text NOT NULL,
	"spec" jsonb NOT NULL,
	"frames" bigint NOT NULL,
	"duration_micros" bigint NOT NULL,
	"epoch" integer DEFAULT 0 NOT NULL,
	"status" "export_status" DEFAULT 'pending' NOT NULL,
	"encoder" text,
	"plan" jsonb,
	"outputs" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"bytes" bigint DEFAULT 0 NOT NULL,
	"error" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp with time zone,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"completed_at" timestamp with time zone,
	CONSTRAINT "exports_tenant" UNIQUE("id","user_id"),
	CONSTRAINT "exports_user" CHECK ("exports"."user_id" <> ''),
	CONSTRAINT "exports_epoch" CHECK ("exports"."epoch" >= 0),
	CONSTRAINT "exports_frames" CHECK ("exports"."frames" > 0 and "exports"."duration_micros" > 0),
	CONSTRAINT "exports_json" CHECK (jsonb_typeof("exports"."spec") = 'object' and jsonb_typeof("exports"."settings") = 'object' and jsonb_typeof("exports"."outputs") = 'array' and jsonb_typeof("exports"."node_labels") = 'array' and jsonb_typeof("exports"."plan") = 'object' and jsonb_typeof("exports"."error") = 'object'),
	CONSTRAINT "exports_pending" CHECK ("exports"."status" <> 'pending' or ("exports"."plan" is null and "exports"."encoder" is null and "exports"."started_at" is null)),
	CONSTRAINT "exports_processing" CHECK ("exports"."status" <> 'processing' or ("exports"."plan" is not null and "exports"."epoch" >= 1 and "exports"."started_at" is not null)),
	CONSTRAINT "exports_completed" CHECK (("exports"."status" = 'completed') = (jsonb_array_length("exports"."outputs") > 0)),
	CONSTRAINT "exports_failed" CHECK (("exports"."status" = 'failed') = ("exports"."error" is not null)),
	CONSTRAINT "exports_ended" CHECK (("exports"."status" in ('completed', 'failed', 'cancelled')) = ("exports"."completed_at" is not null)),
	CONSTRAINT "exports_priority" CHECK ("exports"."priority" in ('low', 'normal', 'high')),
	CONSTRAINT "exports_type" CHECK ("exports"."type" in ('framing', 'overlay', 'annotate', 'before_after')),
	CONSTRAINT "exports_delivery" CHECK ("exports"."delivery" in ('single', 'combined', 'clips'))
);
--> statement-breakpoint
CREATE TABLE "farm" (
	"id" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"paused" boolean DEFAULT false NOT NULL,
	CONSTRAINT "farm_single" CHECK ("farm"."id")
);
--> statement-breakpoint
CREATE TABLE "projects" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"name" text NOT NULL,
	"aspect" text DEFAULT 'source' NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "projects_tenant" UNIQUE("id","user_id"),
	CONSTRAINT "projects_aspect" CHECK ("projects"."aspect" in ('source', '16:9', '9:16', '1:1', '4:5')),
	CONSTRAINT "projects_user" CHECK ("projects"."user_id" <> '')
);
--> statement-breakpoint
CREATE TABLE "videos" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"name" text NOT NULL,
	"sha256" text NOT NULL,
	"location" jsonb NOT NULL,
	"index_key" text NOT NULL,
	"media" jsonb NOT NULL,
	"from_export" uuid,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "videos_tenant" UNIQUE("id","user_id"),
	CONSTRAINT "videos_json" CHECK (jsonb_typeof("videos"."location") = 'object' and jsonb_typeof("videos"."media") = 'object'),
	CONSTRAINT "videos_sha256" CHECK ("videos"."sha256" ~ '^[0-9a-f]{64}$'),
	CONSTRAINT "videos_user" CHECK ("videos"."user_id" <> '')
);
--> statement-breakpoint
ALTER TABLE "attempts" ADD CONSTRAINT "attempts_export" FOREIGN KEY ("export_id","user_id") REFERENCES "public"."exports"("id","user_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "clip_versions" ADD CONSTRAINT "clip_versions_clip" FOREIGN KEY ("clip_id","user_id") REFERENCES "public"."clips"("id","user_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "clips" ADD CONSTRAINT "clips_project" FOREIGN KEY ("project_id","user_id") REFERENCES "public"."projects"("id","user_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "clips" ADD CONSTRAINT "clips_video" FOREIGN KEY ("video_id","user_id") REFERENCES "public"."videos"("id","user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "exports" ADD CONSTRAINT "exports_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "exports" ADD CONSTRAINT "exports_video_id_videos_id_fk" FOREIGN KEY ("video_id") REFERENCES "public"."videos"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "attempts_by_export" ON "attempts" USING btree ("export_id","id");--> statement-breakpoint
CREATE INDEX "clips_by_project" ON "clips" USING btree ("project_id","position","id");--> statement-breakpoint
CREATE INDEX "clips_by_video" ON "clips" USING btree ("video_id");--> statement-breakpoint
CREATE UNIQUE INDEX "exports_idempotency" ON "exports" USING btree ("user_id","idempotency_key");--> statement-breakpoint
CREATE INDEX "exports_by_user" ON "exports" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "exports_by_project" ON "exports" USING btree ("project_id","id");--> statement-breakpoint
CREATE INDEX "exports_by_video" ON "exports" USING btree ("video_id","id");--> statement-breakpoint
CREATE INDEX "exports_active" ON "exports" USING btree ("status","id") WHERE "exports"."status" in ('pending', 'processing');--> statement-breakpoint
CREATE INDEX "projects_by_user" ON "projects" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "videos_by_user" ON "videos" USING btree ("user_id","id");