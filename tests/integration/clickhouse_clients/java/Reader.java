// What a BI tool does through JDBC as the read-only user.
import java.sql.*;
import java.util.Properties;

public class Reader {
  public static void main(String[] given) throws Exception {
    Properties properties = new Properties();
    properties.put("user", given[1]);
    properties.put("password", given[2]);
    try (Connection connection = DriverManager.getConnection("jdbc:clickhouse:" + given[0] + "/default", properties);
        Statement statement = connection.createStatement()) {
      ResultSet rows = statement.executeQuery("SELECT sum(number) FROM numbers(10)");
      rows.next();
      System.out.println("selected " + rows.getLong(1));
      ResultSet schemas = connection.getMetaData().getSchemas();
      while (schemas.next()) if (schemas.getString(1).equals("default")) System.out.println("schema default");
      ResultSet tables = connection.getMetaData().getTables(null, "default", "%", null);
      while (tables.next()) tables.getString("TABLE_NAME");
      ResultSet columns = connection.getMetaData().getColumns(null, "default", "%", "%");
      while (columns.next()) columns.getString("COLUMN_NAME");
      try {
        statement.execute("CREATE TABLE reader_made (id UInt64) ENGINE = Memory");
      } catch (SQLException error) {
        System.out.println(error.getMessage().contains("only reads") ? "refused" : error.getMessage());
      }
    }
  }
}
