-- One database for each server that keeps something; run once, by an empty PostgreSQL.
CREATE DATABASE prefect;
CREATE DATABASE mlflow;
CREATE DATABASE mlflow_auth;
