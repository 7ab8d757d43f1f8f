DROP INDEX "exports_by_user";--> statement-breakpoint
CREATE INDEX "exports_by_user" ON "exports" USING btree ("user_id","created_at","id");